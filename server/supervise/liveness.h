// liveness: checks that every HTTP thread still runs its event loop. Each thread gets one end of a socket pair, half-closed: a thread
// that works reads the end of the stream and closes the socket. No address is involved, since a service that systemd confines may not be
// able to reach its own. One thread at a time.
#pragma once

#include <stdbool.h>

enum { LIVENESS_MAX_THREADS = 64 };

struct liveness {
	// Passes a connected socket and its ownership to thread fd % n_threads. -1: that thread accepts no more connections.
	int (*add_connection)(void *arg, int fd);
	void *arg;
	int n_threads;
	int ends[LIVENESS_MAX_THREADS]; // our end of each thread's open probe, or -1
};

void liveness_init(struct liveness *liveness, int (*add_connection)(void *arg, int fd), void *arg, int n_threads);
void liveness_fini(struct liveness *liveness); // before the threads end

// Sends a probe to every thread that has none open. Skips a thread that has no room for a connection, or if no descriptor is left.
void liveness_send_probes(struct liveness *liveness);

// Whether the threads have closed all probes by now.
bool liveness_all_closed(struct liveness *liveness);
