// http: the HTTP server: passes requests to routes, sends their responses, and enforces the limits. Only this module and exchange.c use
// libmicrohttpd.
#pragma once

#include "core/err.h"
#include "server/base/limits.h"
#include "server/http/admission.h"
#include "server/http/listen.h"

struct http;
struct observer;
struct route_table;

// Connections accepted beyond limits->max_connections, for probes (admission's public paths). Other requests on them get 503.
enum { HTTP_RESERVE = 32 };

// Pointers are borrowed and outlive the server.
struct http_options {
	struct listen_spec listen;
	const char *tls_cert, *tls_key; // PEM files, or both NULL: no TLS
	const char *api_keys; // a file of keys (keys.h), or NULL: no key is needed
	struct admission_names hosts, origins; // see admission.h
	int n_threads; // at least 2
	const struct limits *limits;
	const struct route_table *tables;
	int n_tables;
	const struct observer *observer; // its metrics know the tables
};

// Binds and starts to answer.
int http_open(const struct http_options *options, struct http **http, struct err *e);

const char *http_address(const struct http *http); // "http://127.0.0.1:8080", "https://…" or "unix:PATH"

// Reads the API keys and the certificate again, if there are any. Logs failures, and keeps what could not be read. Returns how many failed; e
// says why the last one did. Any thread.
int http_load_all(struct http *http, struct err *e);

// Serves a connected socket as if it had been accepted: on thread fd % n_threads. -1: out of memory. Takes ownership of fd.
int http_add_connection(struct http *http, int fd);

// Makes every answer from now on close its connection, so that clients reconnect, perhaps to another daemon.
void http_close_after_answers(struct http *http);

// Stops accepting connections, and returns when all requests are answered, including those of connections in the backlog. Deadlines
// bound the wait.
void http_drain(struct http *http);

// Drains, then ends the threads and closes all connections and the listening socket.
void http_stop(struct http *http);

void http_close(struct http *http); // stops it first; no thread may load keys or certificates any more; NULL is fine
