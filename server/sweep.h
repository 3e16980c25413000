// sweep: deadlines of connections. libmicrohttpd only knows inactivity, in whole seconds, so that a client that drips a byte
// now and then stays for ever; here a connection has so long for its headers, its body, its answer, its pause, and no more.
// One thread shuts the sockets of those that are late; the server sees them closed and does the rest.
#pragma once

#include "core/err.h"
#include "server/limits.h"

#include <stdint.h>

struct sweep;

enum sweep_phase {
	SWEEP_HEADERS, // from the connection's start or a request's first line
	SWEEP_BODY, // a body that comes in, an answer that goes out
	SWEEP_IDLE, // between two requests
	SWEEP_N_PHASES,
	SWEEP_NONE = SWEEP_N_PHASES, // no deadline: the request is being computed, and that has its own
};

// One connection; the caller's memory, the sweep's content.
struct sweep_entry {
	int fd;
	enum sweep_phase phase;
	int64_t deadline_ms;
	struct sweep_entry *previous, *next;
};

int sweep_open(const struct limits *limits, struct sweep **sweep, struct err *e);
void sweep_close(struct sweep *sweep); // after the last connection's sweep_leave; NULL is fine

// All three may be called by any thread, for one entry by one at a time. After sweep_leave the descriptor is not touched any
// more, so that leave has to come before close(2).
void sweep_join(struct sweep *sweep, struct sweep_entry *entry, int fd); // in SWEEP_HEADERS
void sweep_enter(struct sweep *sweep, struct sweep_entry *entry, enum sweep_phase phase); // its time begins now
void sweep_leave(struct sweep *sweep, struct sweep_entry *entry);

// Shuts the connection that has been in SWEEP_IDLE for longest, if there is one: somebody else needs its place. One that has sent
// something meanwhile is not idle, whatever its server knows of it.
void sweep_shut_idle(struct sweep *sweep);
