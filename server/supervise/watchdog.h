// watchdog: sends systemd WATCHDOG=1 in the period that WatchdogSec= sets, as long as the daemon works: every HTTP thread runs, and where
// the batcher computes, it completes forward passes, and no thread that decodes is stuck. If there was none in half a period, the watchdog requests one. This finds faults
// that report no error: a thread that is stuck, or a device that neither answers nor fails. One thread.
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

struct watchdog;

struct watchdog_options {
	int64_t period_us; // systemd's; checks are made twice in it
	int n_threads; // HTTP threads
	int (*add_connection)(void *arg, int fd); // see liveness.h
	uint64_t (*n_passes)(void *arg); // forward passes since start-up; NULL: the HTTP threads compute
	// Requests a pass. Calls done(done_arg) once, on any thread, when it is over or will not be made.
	void (*probe)(void *arg, void (*done)(void *), void *done_arg);
	bool (*is_stuck)(void *arg); // whether a thread that decodes does not come to an end
	void *arg;
};

int watchdog_open(const struct watchdog_options *options, struct watchdog **watchdog, struct err *e);

// Waits for a requested pass. NULL is fine.
void watchdog_close(struct watchdog *watchdog);
