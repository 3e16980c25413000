// download: runs a program that writes files, without a shell, and shows its progress. One at a time.
#pragma once

#include "core/err.h"

#include <stdint.h>

struct download {
	const char *what; // shown in the progress line
	const char *dir; // where it runs; the growth of this folder is the progress
	uint64_t bytes; // its final growth
};

// Runs argv (NULL-terminated, found on PATH) in download->dir and waits. Fails if the program is not installed, exits with a status
// other than 0 (e has its last line of standard error), or a signal came (stop_signal), which is passed on to it.
int download_run(const struct download *download, const char *const argv[], struct err *e);

void download_remove(const char *dir); // removes a folder and its content
