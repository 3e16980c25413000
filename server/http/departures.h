// watch: sees clients leave whose requests wait for somebody else's work, while libmicrohttpd does not look at their sockets.
// One thread and an epoll set.
//
// A reset is one that has left. An end of what it sends may be that, too, or a client that has said all (shutdown(SHUT_WR)) and
// waits for its answer; TCP does not tell them apart until something is sent. "100 Continue" is something that may be sent, to any
// client of HTTP/1.1 and before any answer (RFC 9110 section 15.2): one that is there skips it, one that has left resets.
#pragma once

#include "core/err.h"

#include <stdatomic.h>
#include <stdbool.h>

struct departures;

enum departures_end {
	DEPARTURES_END_ASKS, // sends "100 Continue"
	DEPARTURES_END_WAITS, // means nothing: HTTP/1.0 knows no 100, and only a reset will tell
	DEPARTURES_END_LEAVES, // has left: under TLS nothing can be sent from here
};

// One connection; the caller's memory, the watch's content but for these.
struct departures_entry {
	int fd;
	enum departures_end end;
	atomic_bool gone; // the answer
};

int departures_open(struct departures **departures, struct err *e);
void departures_close(struct departures *departures); // of an empty set; NULL is fine

// Between the two nobody else may write to the socket. After departures_remove it is not touched any more. Without memory for it a
// connection is not watched. Any thread.
void departures_add(struct departures *departures, struct departures_entry *entry);
void departures_remove(struct departures *departures, struct departures_entry *entry);
