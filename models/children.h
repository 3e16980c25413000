// children: runs this program several times at once, each time with its own arguments and log file. Belongs to one thread.
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum { CHILDREN_MAX = 256 };

struct children {
	int n; // running
	struct child {
		pid_t pid;
		int id;
	} running[CHILDREN_MAX];
};

// Starts `lenet ARGV[1]...`, with both outputs appended to the file `log`. id: chosen by the caller, returned by children_ended.
int children_start(struct children *c, int id, const char *const argv[], const char *log, struct err *e);

// Returns whether a child has ended, without waiting: its id and exit status, or 128 + the signal that ended it.
bool children_ended(struct children *c, int *id, int *status);

void children_signal(const struct children *c, int number); // sends a signal to all
