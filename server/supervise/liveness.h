// pulse: whether the threads that answer HTTP turn. Each is given a connection at whose other end nobody is: one that turns closes it.
// This goes by no address, for a service that systemd confines cannot reach its own. One thread at a time.
#pragma once

#include <stdbool.h>

enum { LIVENESS_MAX_THREADS = 64 };

struct liveness {
	int (*take)(void *arg, int fd); // gives a connected socket to thread fd % n_threads; -1: it may have no more. fd is gone
	void *arg;
	int n_threads;
	int ends[LIVENESS_MAX_THREADS]; // our ends of connections that are out, or -1
};

void liveness_init(struct liveness *liveness, int (*take)(void *arg, int fd), void *arg, int n_threads);
void liveness_fini(struct liveness *liveness); // before the threads end

// Gives a connection to every thread that has none. One that may have no more connections, or for which no descriptor is left, is
// not asked.
void liveness_ask(struct liveness *liveness);

// Whether all connections that were given are closed by now.
bool liveness_is_felt(struct liveness *liveness);
