// body: memory for the bodies of requests. A body starts in a small buffer of its connection and moves to memory of its own when it
// outgrows that; a budget bounds all of them together.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { BODY_SMALL = 1024 };

// Zero-initialise, but for max. Any thread.
struct body_budget {
	int max; // bytes
	atomic_llong used;
};

// One thread at a time.
struct body {
	char *small; // the connection's, BODY_SMALL bytes
	char *bytes; // small, or memory of its own; n of `capacity` are used
	size_t n, capacity;
};

void body_init(struct body *body, char *small);

// Appends n bytes and leaves room for one more. expected: the likely size of the whole body; a low guess only costs time. False: the
// budget or the memory is used up, and nothing has changed.
bool body_append(struct body_budget *budget, struct body *body, const char *bytes, size_t n, size_t expected);

void body_free(struct body_budget *budget, struct body *body); // the body is empty then
