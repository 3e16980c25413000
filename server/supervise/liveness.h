// liveness: checks that every thread that answers HTTP still runs its event loop. Each thread is given one end of a socket pair,
// half-closed: a thread that works reads the end and closes it. No address is involved, since a service confined by systemd may not
// reach its own. One thread at a time.
#pragma once

#include <stdbool.h>

enum { LIVENESS_MAX_THREADS = 64 };

struct liveness {
	// Hands a connected socket, and its ownership, to thread fd % n_threads. -1: that thread may have no more connections.
	int (*add_connection)(void *arg, int fd);
	void *arg;
	int n_threads;
	int ends[LIVENESS_MAX_THREADS]; // our end of each thread's open probe, or -1
};

void liveness_init(struct liveness *liveness, int (*add_connection)(void *arg, int fd), void *arg, int n_threads);
void liveness_fini(struct liveness *liveness); // before the threads end

// Sends a probe to every thread that has none open. A thread without room for a connection, or for which no descriptor is left, gets
// none.
void liveness_send_probes(struct liveness *liveness);

// Whether the threads have closed all probes by now.
bool liveness_all_closed(struct liveness *liveness);
