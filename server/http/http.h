// http: the only user of libmicrohttpd, with exchange.h. Brings requests to routes and their responses back, keeps to the limits.
#pragma once

#include "core/err.h"
#include "server/base/limits.h"
#include "server/http/admission.h"
#include "server/http/listen.h"

struct http;
struct observer;
struct route_table;

// So many connections beyond limits->max_connections are taken for who asks whether the daemon lives (admission's open paths);
// whatever else comes by them is told to come again.
enum { HTTP_RESERVE = 32 };

// Everything is borrowed, and outlives the server.
struct http_options {
	const struct listen_spec *listen;
	const char *tls_cert, *tls_key; // PEM files, or both NULL: no TLS
	const char *api_keys; // a file of keys (keys.h), or NULL: none is needed
	const struct admission_names *hosts, *origins; // what else Host may say, and whose pages may ask
	int n_threads; // at least 2
	const struct limits *limits;
	const struct route_table *tables;
	int n_tables;
	const struct observer *observer; // knows the tables
};

// Binds, and starts to answer.
int http_open(const struct http_options *options, struct http **http, struct err *e);

const char *http_address(const struct http *http); // "http://127.0.0.1:8080", "https://…" or "unix:PATH"

// Reads the certificate and its key, or the keys, again; -1: the old ones stay. 0 where there are none. Any thread.
int http_load_certificate(struct http *http, struct err *e);
int http_load_keys(struct http *http, struct err *e);

// A connected socket, as if it had been accepted: for thread fd % n_threads, if that may have one more, else for another. -1: none
// may. From here on fd is not the caller's.
int http_take(struct http *http, int fd);

// From now on every answer closes its connection, so that clients come back by a new one, maybe to another daemon.
void http_close_after_answers(struct http *http);

// Stops to accept connections and returns when all requests that have come in are answered, those of clients that were waiting to
// be accepted among them. Deadlines bound the wait.
void http_drain(struct http *http);

// Ends the threads and closes all connections and the listening socket; drains before that.
void http_stop(struct http *http);

void http_close(struct http *http); // stops it first; nobody may load any more; NULL is fine
