// watchdog: sends systemd WATCHDOG=1 at the pace that WatchdogSec= asks for, as long as the daemon works: every thread that answers
// HTTP runs, and where the batcher computes, forward passes are made. If none was made in half a period, it asks for one. This finds
// what reports no error: a thread that is stuck, a device that neither answers nor fails. One thread.
#pragma once

#include "core/err.h"

#include <stdint.h>

struct watchdog;

struct watchdog_options {
	int64_t period_us; // systemd's; checks are made twice in it
	int n_threads; // that answer HTTP
	int (*add_connection)(void *arg, int fd); // see liveness.h
	uint64_t (*n_passes)(void *arg); // forward passes since start-up; NULL: the HTTP threads compute
	void (*probe)(void *arg, void (*done)(void *),
		      void *done_arg); // asks for a pass; done: it is over or will not be made; any thread
	void *arg;
};

int watchdog_open(const struct watchdog_options *options, struct watchdog **watchdog, struct err *e);

// Waits for a pass that was asked for. NULL is fine.
void watchdog_close(struct watchdog *watchdog);
