// gather: the calls (base/route.h) that this thread will compute together. Each request that adds one is asked for its answer
// after all requests that came in with it (exchange.c); the first to be asked computes for all, and all answers go out in a row.
// That costs a picture alone one or two epoll_wait. With more of them a pass that four share is quicker, and a client that sleeps
// is woken once for many answers (docs/bench.md).
#pragma once

#include "server/base/route.h"

#include <stdbool.h>

// The caller's memory. One thread: that which added it.
struct gather_entry {
	struct route_call *call; // whose worker computes
	bool waits; // is gathered, and not computed yet
	struct gather_entry *next;
};

void gather_add(struct gather_entry *entry, struct route_call *call);
void gather_remove(struct gather_entry *entry); // nothing, if it does not wait

// Computes all that waits, all calls of a worker together.
void gather_compute(void);
