// timeouts: deadlines of connections. libmicrohttpd only times out inactivity, in whole seconds, so a client that sends a byte now
// and then would stay for ever. Here each phase of a connection has a deadline of its own. One thread shuts down the sockets of
// connections that miss theirs; libmicrohttpd then sees them closed and cleans up.
#pragma once

#include "core/err.h"

#include <stdint.h>

struct timeouts;

enum timeouts_phase {
	TIMEOUTS_HEADERS, // from the connection's start or a request's first line
	TIMEOUTS_BODY, // receiving a body or sending an answer
	TIMEOUTS_IDLE, // between two requests
	TIMEOUTS_N_PHASES,
	TIMEOUTS_NONE = TIMEOUTS_N_PHASES, // no deadline here: the request is being computed, and its job has one
};

// One connection, in the caller's memory. Its fields belong to this module.
struct timeouts_entry {
	int fd;
	enum timeouts_phase phase;
	int64_t deadline_ms;
	struct timeouts_entry *previous, *next;
};

// time_ms: how long each phase may last.
int timeouts_open(const int64_t time_ms[TIMEOUTS_N_PHASES], struct timeouts **timeouts, struct err *e);
void timeouts_close(struct timeouts *timeouts); // after timeouts_remove of every connection; NULL is fine

// Any thread may call these three, for one entry one thread at a time. After timeouts_remove the descriptor is not touched any more:
// call it before close(2).
void timeouts_add(struct timeouts *timeouts, struct timeouts_entry *entry, int fd); // in TIMEOUTS_HEADERS
void timeouts_set(struct timeouts *timeouts, struct timeouts_entry *entry, enum timeouts_phase phase); // its time starts now
void timeouts_remove(struct timeouts *timeouts, struct timeouts_entry *entry);

// Shuts down the connection that has been in TIMEOUTS_IDLE for longest, to make room for another. Skips those that have sent
// something which libmicrohttpd has not read yet.
void timeouts_shut_idle(struct timeouts *timeouts);
