// watchdog: tells systemd at the pace it asks for (WatchdogSec=) that the daemon works. That is: every thread that answers HTTP
// turns, and where the batcher computes, forward passes come about; if none has in half a period, one is asked for. One thread. It is
// there for what nothing else sees: a thread that is stuck, a device that neither answers nor fails.
#pragma once

#include "core/err.h"
#include "server/batcher.h"
#include "server/models.h"

#include <stdint.h>

struct http;
struct metrics;
struct watchdog;

// Borrowed, and outlives the watchdog.
struct watchdog_options {
	int64_t period_us; // systemd's; half of it is ours
	struct http *http;
	int n_threads; // its
	struct batcher *batcher; // NULL: the HTTP threads compute
	const struct metrics *metrics; // counts passes
	struct models *models;
};

int watchdog_open(const struct watchdog_options *options, struct watchdog **watchdog, struct err *e);

// Waits for a pass that was asked for. NULL is fine.
void watchdog_close(struct watchdog *watchdog);
