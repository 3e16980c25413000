// departures: notices when a client disconnects while its request is computed and its connection is suspended, since libmicrohttpd
// does not watch suspended sockets. One thread and an epoll set.
//
// A reset means that the client has disconnected. An end of its sending (FIN) may mean that too, or the client has sent all and waits
// for its answer (shutdown(SHUT_WR)); TCP shows which only when something is sent. "100 Continue" may be sent to any HTTP/1.1 client
// before an answer (RFC 9110 section 15.2): a waiting client ignores it, a disconnected one answers with a reset.
#pragma once

#include "core/err.h"

#include <stdatomic.h>

struct departures;

// What to do when a client ends its sending.
enum departures_end {
	DEPARTURES_END_PROBE, // send "100 Continue"
	DEPARTURES_END_IGNORE, // nothing: HTTP/1.0 knows no 100, so only a reset tells
	DEPARTURES_END_GONE, // take it as disconnected: under TLS nothing can be sent from here
};

// One connection, in the caller's memory.
struct departures_entry {
	int fd;
	enum departures_end end;
	atomic_bool gone; // set by the thread: the client has disconnected
};

int departures_open(struct departures **departures, struct err *e);
void departures_close(struct departures *departures); // after departures_remove of every entry; NULL is fine

// Starts and ends watching a connection; any thread. In between the caller must not write to the socket, and afterwards it is not
// touched any more. If the kernel has no memory for it, the connection is not watched.
void departures_add(struct departures *departures, struct departures_entry *entry);
void departures_remove(struct departures *departures, struct departures_entry *entry);
