// in_flight: counts connections against their limit, and requests in flight, so that a draining server knows when it is done. Any thread.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct in_flight {
	pthread_mutex_t lock; // guards all that follows
	pthread_cond_t changed; // n_requests or n_fresh became 0, or a connection began or ended
	int max_connections, reserve;
	int n_connections; // without those over the limit
	int n_over_limit;
	int n_requests;
	int n_fresh; // connections that have had no request yet, accepted ones included
	int n_accepted; // of these, those that have not begun
	bool stopped; // no connection is to be accepted any more
	bool closed; // no request may begin any more
};

// The state of one connection, filled by in_flight_begin_connection.
struct in_flight_connection {
	bool fresh; // has had no request yet
	bool over_limit; // there were max_connections already; it is not counted among them
};

// reserve: how many connections are accepted beyond max_connections.
void in_flight_init(struct in_flight *in_flight, int max_connections, int reserve);
void in_flight_fini(struct in_flight *in_flight);

// Count a connection that the caller has accepted and another thread will begin, or that will not begin after all.
void in_flight_accept(struct in_flight *in_flight);
void in_flight_cancel_accept(struct in_flight *in_flight);

// Waits until one more connection may be accepted, the reserve included. False: in_flight_stop_accepting was called.
bool in_flight_await_place(struct in_flight *in_flight);
void in_flight_stop_accepting(struct in_flight *in_flight);

// Whether one more connection may be accepted without the reserve.
bool in_flight_has_room(struct in_flight *in_flight);
// Waits for that, and until all accepted connections have begun. False: it is until_ns (clock_now_ns), and there is no room.
bool in_flight_await_room(struct in_flight *in_flight, int64_t until_ns);

void in_flight_begin_connection(struct in_flight *in_flight, struct in_flight_connection *connection);
void in_flight_end_connection(struct in_flight *in_flight, const struct in_flight_connection *connection);

bool in_flight_begin_request(struct in_flight *in_flight, struct in_flight_connection *connection); // false: closed
void in_flight_end_request(struct in_flight *in_flight);

// Waits until every connection has had its first request, fresh_s seconds at most, and until all requests have ended; then closes.
void in_flight_drain(struct in_flight *in_flight, int fresh_s);
