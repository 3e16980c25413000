// reload: what SIGHUP has the daemon read again, one step after the other. A step that fails is logged, and keeps what there was.
#pragma once

#include "core/err.h"

struct reload_step {
	const char *kept; // what the log says of a failure: "the API keys stay as they are"; NULL: the step logs for itself
	int (*load)(void *arg, struct err *e); // how many failed, or -1
	void *arg;
};

// Does all, and tells the service manager when it begins and how it ended.
void reload_run(const struct reload_step *steps, int n);
