// watchdog: tells systemd at the pace it asks for (WatchdogSec=) that the daemon works. That is: every thread that answers HTTP
// turns, and where a thread of its own computes, forward passes come about; if none has in half a period, one is asked for. One
// thread. It is there for what nothing else sees: a thread that is stuck, a device that neither answers nor fails.
#pragma once

#include "core/err.h"

#include <stdint.h>

struct watchdog;

struct watchdog_options {
	int64_t period_us; // systemd's; half of it is ours
	int n_threads; // that answer HTTP
	int (*take)(void *arg, int fd); // as liveness.h wants it
	uint64_t (*n_passes)(void *arg); // forward passes since the start; NULL: the HTTP threads compute
	void (*probe)(void *arg, void (*done)(void *), void *done_arg); // asks for one; done: it came or will not, on any thread
	void *arg;
};

int watchdog_open(const struct watchdog_options *options, struct watchdog **watchdog, struct err *e);

// Waits for a pass that was asked for. NULL is fine.
void watchdog_close(struct watchdog *watchdog);
