// http: the only user of libmicrohttpd. Brings requests to routes and their responses back, keeps to the limits.
#pragma once

#include "core/err.h"
#include "server/access.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/route.h"

struct http;

// Everything is borrowed, and outlives the server.
struct http_options {
	int listen_fd;
	int n_threads; // at least 2
	const struct limits *limits;
	const struct route_table *tables;
	int n_tables;
	struct metrics *metrics; // knows the tables
	struct access *access; // NULL: no access log
};

// Starts to answer.
int http_open(const struct http_options *options, struct http **http, struct err *e);

// Stops to accept connections and returns when all requests that have come in are answered. Deadlines bound the wait.
void http_drain(struct http *http);

// Ends the threads and closes all connections; drains before that. NULL is fine.
void http_close(struct http *http);
