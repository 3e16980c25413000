// watchdog: tells systemd at the pace it asks for (WatchdogSec=) that the daemon works, as long as that is so: forward passes come
// about. If none has since the last time, one is asked for, by the way that requests take. One thread. It is there for what
// nothing else sees: a device that neither answers nor fails.
#pragma once

#include "core/err.h"
#include "server/batcher.h"
#include "server/direct.h"
#include "server/models.h"

#include <stdint.h>

struct metrics;
struct watchdog;

// Borrowed, and outlives the watchdog.
struct watchdog_options {
	int64_t period_us; // systemd's; half of it is ours
	const struct metrics *metrics; // counts passes
	struct batcher *batcher; // or
	struct direct *direct;   // which has a caller's place for it
	struct models *models;
};

int watchdog_open(const struct watchdog_options *options, struct watchdog **watchdog, struct err *e);

// Waits for a pass that was asked for. NULL is fine.
void watchdog_close(struct watchdog *watchdog);
