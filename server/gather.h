// gather: calls (route.h) that this thread will compute together. Whoever adds one is asked for its answer after all that came in
// with it (exchange.c); the first to be asked computes for all, and all answers go out in a row. That costs a picture alone an epoll_wait
// or two; with more of them, a pass shared by four is quicker, and a client that sleeps is woken for many answers instead of each,
// which costs more than some of them (docs/bench.md).
#pragma once

#include "server/route.h"

#include <stdbool.h>

// The caller's memory. One thread: that which added it.
struct gather_entry {
	const struct route *route; // has compute()
	void *call;
	bool waits; // is gathered, and not computed yet
	struct gather_entry *next;
};

void gather_add(struct gather_entry *entry, const struct route *route, void *call);
void gather_remove(struct gather_entry *entry); // nothing, if it does not wait

// Computes all that waits.
void gather_compute(void);
