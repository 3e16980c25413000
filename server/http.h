// http: the only user of libmicrohttpd, with exchange.h. Brings requests to routes and their responses back, keeps to the limits.
#pragma once

#include "core/err.h"
#include "server/access.h"
#include "server/doors.h"
#include "server/limits.h"
#include "server/listen.h"
#include "server/metrics.h"
#include "server/route.h"

struct http;

// So many connections beyond limits->max_connections are taken for who asks whether the daemon lives (the doors' open paths);
// whatever else comes by them is told to come again.
enum { HTTP_RESERVE = 32 };

// Everything is borrowed, and outlives the server.
struct http_options {
	const struct listener *listener;
	int n_threads; // at least 2
	bool tls; // with what tls_load() has loaded
	const struct doors *doors;
	const struct limits *limits;
	const struct route_table *tables;
	int n_tables;
	struct metrics *metrics; // knows the tables
	struct access *access; // NULL: no access log
};

// Starts to answer.
int http_open(const struct http_options *options, struct http **http, struct err *e);

// A connected socket, as if it had been accepted: for thread fd % n_threads, if that may have one more, else for another. -1: none
// may. From here on fd is not the caller's.
int http_take(struct http *http, int fd);

// From now on every answer closes its connection, so that clients come back by a new one, maybe to another daemon.
void http_close_after_answers(struct http *http);

// Stops to accept connections and returns when all requests that have come in are answered, those of clients that were waiting to
// be accepted among them. Deadlines bound the wait.
void http_drain(struct http *http);

// Ends the threads and closes all connections; drains before that. NULL is fine.
void http_close(struct http *http);
