// body: memory for the bodies of requests. Each begins in a few bytes of its connection and grows out of them; all together have a
// bound.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BODY_SMALL = 1024 };

// Zero-initialise, but for max. Any thread.
struct body_budget {
	int max; // bytes
	atomic_llong used;
};

// One thread at a time.
struct body {
	char *small; // the connection's, BODY_SMALL bytes
	char *bytes; // small, or memory of its own; n of `capacity` are filled
	size_t n, capacity;
};

void body_init(struct body *body, char *small);

// Takes n bytes more, and has room for one behind them. expected: how many there will be in all, for all that is known; a guess that
// is too low costs time and nothing else. False: the budget or the memory has no room, and nothing has changed.
bool body_append(struct body_budget *budget, struct body *body, const char *bytes, size_t n, size_t expected);

void body_free(struct body_budget *budget, struct body *body); // what is its own; it is empty then
