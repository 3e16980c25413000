// flight: counts connections and requests, against their limit and for a server that goes down: what it has yet to answer. Any
// thread.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct flight {
	pthread_mutex_t lock; // of all that follows
	pthread_cond_t changed; // n_requests or n_fresh became 0, a connection began or ended
	int max_connections;
	int n_connections; // those beyond the limit aside
	int n_requests;
	int n_fresh; // connections without a request so far
	int n_expected; // of these, those that have not begun
	bool closed; // no request begins any more
};

// One connection's; what flight_begin_connection says.
struct flight_connection {
	bool fresh; // has had no request yet
	bool beyond; // came when there were max_connections, and is none of them
};

void flight_init(struct flight *flight, int max_connections);
void flight_fini(struct flight *flight);

// A connection that was accepted, and will begin later; or after all will not.
void flight_expect(struct flight *flight);
void flight_expect_no_more(struct flight *flight);

// Whether another connection may be expected.
bool flight_has_room(struct flight *flight);
// Waits for that, and until all that were expected have begun, so that it is certain; false: `until` (CLOCK_MONOTONIC) has come.
bool flight_await_room(struct flight *flight, const struct timespec *until);

void flight_begin_connection(struct flight *flight, struct flight_connection *connection);
void flight_end_connection(struct flight *flight, const struct flight_connection *connection);

bool flight_begin_request(struct flight *flight, struct flight_connection *connection); // false: it is too late for it
void flight_end_request(struct flight *flight);

// Returns when all requests have ended, and all connections have had their first one or patience_s seconds for it; then closes.
void flight_land(struct flight *flight, int patience_s);
