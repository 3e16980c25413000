// flight: counts connections and requests, against their limit and for a server that goes down: what it has yet to answer. Any
// thread.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct in_flight {
	pthread_mutex_t lock; // of all that follows
	pthread_cond_t changed; // n_requests or n_fresh became 0, a connection began or ended
	int max_connections;
	int n_connections; // those beyond the limit aside
	int n_requests;
	int n_fresh; // connections without a request so far
	int n_expected; // of these, those that have not begun
	bool closed; // no request begins any more
};

// One connection's; what in_flight_begin_connection says.
struct in_flight_connection {
	bool fresh; // has had no request yet
	bool beyond; // came when there were max_connections, and is none of them
};

void in_flight_init(struct in_flight *in_flight, int max_connections);
void in_flight_fini(struct in_flight *in_flight);

// A connection that was accepted, and will begin later; or after all will not.
void in_flight_expect(struct in_flight *in_flight);
void in_flight_expect_no_more(struct in_flight *in_flight);

// Whether another connection may be expected.
bool in_flight_has_room(struct in_flight *in_flight);
// Waits for that, and until all that were expected have begun, so that it is certain; false: `until` (CLOCK_MONOTONIC) has come.
bool in_flight_await_room(struct in_flight *in_flight, const struct timespec *until);

void in_flight_begin_connection(struct in_flight *in_flight, struct in_flight_connection *connection);
void in_flight_end_connection(struct in_flight *in_flight, const struct in_flight_connection *connection);

bool in_flight_begin_request(struct in_flight *in_flight, struct in_flight_connection *connection); // false: it is too late for it
void in_flight_end_request(struct in_flight *in_flight);

// Returns when all requests have ended, and all connections have had their first one or patience_s seconds for it; then closes.
void in_flight_land(struct in_flight *in_flight, int patience_s);
