// gather: the calls (base/route.h) that this thread will compute together. A turn of the event loop adds the calls of all requests
// that have arrived; in the next turn the first of them computes for all, and the answers go out one after another. A single picture
// pays one or two epoll_wait for that; several share a pass, and a sleeping client wakes up once for many answers (docs/bench.md).
#pragma once

#include "server/base/route.h"

#include <stdbool.h>

// In the caller's memory. Only the thread that added it may use it.
struct gather_entry {
	struct route_call *call; // its worker has compute()
	bool waiting; // gathered, and not computed yet
	struct gather_entry *next;
};

void gather_add(struct gather_entry *entry, struct route_call *call);
void gather_remove(struct gather_entry *entry); // does nothing if it is not waiting

// Computes all waiting calls, those of a worker together.
void gather_compute(void);
