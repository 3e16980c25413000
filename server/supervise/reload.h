// reload: reads files again after SIGHUP, one step after the other. A step that fails keeps the old data.
#pragma once

#include "core/err.h"

struct reload_step {
	const char *kept; // logged after a failure: "the API keys stay as they are"; NULL: load() logs by itself
	int (*load)(void *arg, struct err *e); // 0, -1, or how many files failed
	void *arg;
};

// Runs all steps, and tells the service manager of the beginning and the result.
void reload_run(const struct reload_step *steps, int n);
