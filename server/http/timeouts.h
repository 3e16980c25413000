// timeouts: deadlines of connections. libmicrohttpd only knows inactivity, in whole seconds, so that a client that drips a byte
// now and then stays for ever; here a connection has so long for its headers, its body, its answer, its pause, and no more.
// One thread shuts the sockets of those that are late; the server sees them closed and does the rest.
#pragma once

#include "core/err.h"

#include <stdint.h>

struct timeouts;

enum timeouts_phase {
	TIMEOUTS_HEADERS, // from the connection's start or a request's first line
	TIMEOUTS_BODY, // a body that comes in, an answer that goes out
	TIMEOUTS_IDLE, // between two requests
	TIMEOUTS_N_PHASES,
	TIMEOUTS_NONE = TIMEOUTS_N_PHASES, // no deadline: the request is being computed, and that has its own
};

// One connection; the caller's memory, the timeouts's content.
struct timeouts_entry {
	int fd;
	enum timeouts_phase phase;
	int64_t deadline_ms;
	struct timeouts_entry *previous, *next;
};

// time_ms: of each phase.
int timeouts_open(const int64_t time_ms[TIMEOUTS_N_PHASES], struct timeouts **timeouts, struct err *e);
void timeouts_close(struct timeouts *timeouts); // after the last connection's timeouts_leave; NULL is fine

// All three may be called by any thread, for one entry by one at a time. After timeouts_leave the descriptor is not touched any
// more, so that leave has to come before close(2).
void timeouts_join(struct timeouts *timeouts, struct timeouts_entry *entry, int fd); // in TIMEOUTS_HEADERS
void timeouts_enter(struct timeouts *timeouts, struct timeouts_entry *entry, enum timeouts_phase phase); // its time begins now
void timeouts_leave(struct timeouts *timeouts, struct timeouts_entry *entry);

// Shuts the connection that has been in TIMEOUTS_IDLE for longest, if there is one: somebody else needs its place. One that has sent
// something meanwhile is not idle, whatever its server knows of it.
void timeouts_shut_idle(struct timeouts *timeouts);
