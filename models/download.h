// download: other programs run for their files, with a progress line; one file at a time, no shell.
#pragma once

#include "core/err.h"

#include <stdint.h>

struct download {
	const char *what; // for the progress line
	const char *dir; // where it runs; what grows in there is what has come
	uint64_t bytes; // how much that will be
};

// Runs argv (NULL-terminated, found on PATH) in download->dir and waits. Failure: it is not installed, exits with another
// status than 0 (e has the last line that it wrote to standard error), or a signal came (stop_signal), which ends it too.
int download_run(const struct download *download, const char *const argv[], struct err *e);

void download_remove(const char *dir); // with all that is in it
