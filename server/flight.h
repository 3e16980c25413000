// flight: counts what a server that goes down has yet to answer. Any thread.
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct flight {
	pthread_mutex_t lock; // of all that follows
	pthread_cond_t landed; // n_requests or n_fresh became 0
	int n_requests;
	int n_fresh;    // connections without a request so far
	int n_expected; // of these, those that have not begun
	bool closed;    // no request begins any more
};

void flight_init(struct flight *flight);
void flight_fini(struct flight *flight);

// A connection that was accepted, and will begin later; or after all will not.
void flight_expect(struct flight *flight);
void flight_expect_no_more(struct flight *flight);

void flight_begin_connection(struct flight *flight, bool *fresh); // true from here to its first request
void flight_end_connection(struct flight *flight, bool fresh);

bool flight_begin_request(struct flight *flight, bool *fresh); // false: it is too late for it
void flight_end_request(struct flight *flight);

// Returns when all requests have ended, and all connections have had their first one or patience_s seconds for it; then closes.
void flight_land(struct flight *flight, int patience_s);
