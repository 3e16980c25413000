// acceptor: accepts connections on a thread of its own. libmicrohttpd's threads could do it, but would stop accepting after one failure
// (at_limit), and 0.9.75 aborts now and then when it is told to stop (MHD_quiesce_daemon, "Failed to remove listen FD").
#pragma once

#include "core/err.h"
#include "server/http/in_flight.h"
#include "server/http/listen.h"
#include "server/http/timeouts.h"

#include <sys/socket.h>

struct acceptor;

// Pointers are borrowed and outlive the acceptor.
struct acceptor_options {
	const struct listener *listener;
	struct in_flight *in_flight; // every connection is counted before add is called
	struct timeouts *timeouts;
	int (*add)(void *arg, int fd, const struct sockaddr *address, socklen_t n); // takes ownership of fd; -1: not served
	void *arg;
};

int acceptor_open(const struct acceptor_options *options, struct acceptor **acceptor, struct err *e);

// Ends the thread: nothing is accepted from now on. It may be called again, and NULL is fine.
void acceptor_stop(struct acceptor *acceptor);

// After acceptor_stop: accepts the connections in the kernel's backlog, since closing the listening socket would reset them. Shuts down
// idle connections where there is no room, and gives up at until_ns (clock_now_ns).
void acceptor_empty_backlog(struct acceptor *acceptor, int64_t until_ns);

void acceptor_close(struct acceptor *acceptor); // stops it first; NULL is fine
