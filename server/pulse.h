// pulse: whether the threads that answer HTTP turn. Each is given a connection at whose other end nobody is: one that turns closes it.
// This goes by no address, for a service that systemd confines cannot reach its own. One thread at a time.
#pragma once

#include <stdbool.h>

struct http;

enum { PULSE_MAX_THREADS = 64 };

struct pulse {
	struct http *http; // borrowed
	int n_threads;
	int ends[PULSE_MAX_THREADS]; // our ends of connections that are out, or -1
};

void pulse_init(struct pulse *pulse, struct http *http, int n_threads);
void pulse_fini(struct pulse *pulse); // before the threads end

// Gives a connection to every thread that has none. One that may have no more connections, or for which no descriptor is left, is
// not asked.
void pulse_ask(struct pulse *pulse);

// Whether all connections that were given are closed by now.
bool pulse_is_felt(struct pulse *pulse);
