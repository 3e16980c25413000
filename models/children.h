// children: this program run several times at once, each with other arguments and a log of its own.
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

// Starts `lenet ARGV[1]...` with both outputs behind what is in the file `log`. id: the caller's, for children_ended.
int children_start(struct children *c, int id, const char *const argv[], const char *log, struct err *e);

// Whether one has ended, without waiting: its id and exit status (128 + the signal, where one ended it).
bool children_ended(struct children *c, int *id, int *status);

void children_signal(const struct children *c, int number); // to all of them
