// Two traps of libmicrohttpd 0.9.75 shape this file: epoll with one thread stalls, so there is always a pool; and stopping with
// suspended connections is undefined, so requests in flight are counted.
#include "server/http/http.h"

#include "core/clock.h"
#include "core/log.h"
#include "server/http/acceptor.h"
#include "server/http/exchange.h"
#include "server/http/tls.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// How long a draining daemon waits for the first request of an accepted connection.
enum { FRESH_S = 1 };

struct http {
	struct exchanges all;
	struct listener listener;
	char address[LISTEN_MAX_ADDRESS + 8]; // with its scheme
	struct MHD_Daemon *daemon;
	struct acceptor *acceptor;
	bool drained;
};

static void log_library(void *arg, const char *format, va_list args)
{
	char line[512];
	(void)arg;
	vsnprintf(line, sizeof line, format, args);
	line[strcspn(line, "\r\n")] = 0;
	log_debug("libmicrohttpd: %s", line);
}

static int start(struct http *h, struct err *e)
{
	const struct http_options *o = &h->all.options;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET |
			 (o->tls_cert ? MHD_USE_TLS : 0);
	// in_flight enforces the limit; the library's would be divided among its threads.
	const unsigned per_thread = (unsigned)o->limits->max_connections + HTTP_RESERVE;
	const struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_certificate },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
		{ MHD_OPTION_END, 0, NULL },
	};
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, exchange_handle, &h->all, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
				     MHD_OPTION_THREAD_POOL_SIZE, (unsigned)o->n_threads, MHD_OPTION_CONNECTION_LIMIT,
				     per_thread * (unsigned)o->n_threads, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
				     (unsigned)o->limits->max_connections_per_address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)EXCHANGE_MEMORY, MHD_OPTION_NOTIFY_COMPLETED, exchange_complete, &h->all,
				     MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, &h->all, MHD_OPTION_URI_LOG_CALLBACK,
				     exchange_uri, &h->all, MHD_OPTION_ARRAY, o->tls_cert ? tls : tls + 2, MHD_OPTION_END);
	return h->daemon ? 0 : err_errno(e, "cannot start the HTTP server with %d threads", o->n_threads);
}

static int add_connection(void *arg, int fd, const struct sockaddr *address, socklen_t n)
{
	return MHD_add_connection(((struct http *)arg)->daemon, fd, address, n) == MHD_YES ? 0 : -1;
}

static int accept_connections(struct http *h, struct err *e)
{
	const struct acceptor_options options = { &h->listener, &h->all.in_flight, h->all.timeouts, add_connection, h };
	return acceptor_open(&options, &h->acceptor, e);
}

static int load_certificate(struct http *h, struct err *e)
{
	const struct http_options *o = &h->all.options;
	return o->tls_cert ? tls_load(o->tls_cert, o->tls_key, e) : 0;
}

// Opens the API keys, the certificate and the listening socket.
static int open_front(struct http *h, struct err *e)
{
	const struct http_options *o = &h->all.options;
	struct admission *a = &h->all.admission;
	*a = (struct admission){ .hosts = &o->hosts, .origins = &o->origins };
	if ((o->api_keys && keys_open(o->api_keys, &a->keys, e)) || load_certificate(h, e) ||
	    listen_open(&o->listen, &h->listener, e))
		return -1;
	a->loopback = h->listener.loopback;
	const char *scheme = strncmp(h->listener.address, "unix:", 5) == 0 ? "" : o->tls_cert ? "https://" : "http://";
	snprintf(h->address, sizeof h->address, "%s%s", scheme, h->listener.address);
	return 0;
}

int http_open(const struct http_options *options, struct http **http, struct err *e)
{
	const struct limits *limits = options->limits;
	const int64_t time_ms[TIMEOUTS_N_PHASES] = {
		[TIMEOUTS_HEADERS] = limits->header_timeout_ms,
		[TIMEOUTS_BODY] = limits->body_timeout_ms,
		[TIMEOUTS_IDLE] = (int64_t)limits->idle_timeout_s * 1000,
	};
	struct http *h = calloc(1, sizeof *h);
	if (!h)
		return err_set(e, "no memory for the HTTP server");
	h->listener.fd = -1;
	h->all.options = *options;
	h->all.bodies.max = limits->max_buffer;
	in_flight_init(&h->all.in_flight, limits->max_connections, HTTP_RESERVE);
	if (open_front(h, e) || timeouts_open(time_ms, &h->all.timeouts, e) || departures_open(&h->all.departures, e) ||
	    start(h, e) || accept_connections(h, e)) {
		http_close(h);
		return -1;
	}
	*http = h;
	return 0;
}

const char *http_address(const struct http *h)
{
	return h->address;
}

int http_load_all(struct http *h, struct err *e)
{
	int n_failed = 0;
	if (h->all.admission.keys && keys_load(h->all.admission.keys, e)) {
		log_error("SIGHUP: the API keys stay as they are: %s", e->msg);
		n_failed++;
	}
	if (load_certificate(h, e)) {
		log_error("SIGHUP: the certificate stays as it is: %s", e->msg);
		n_failed++;
	}
	return n_failed;
}

int http_add_connection(struct http *h, int fd)
{
	const struct sockaddr unnamed = { .sa_family = AF_UNIX };
	return add_connection(h, fd, &unnamed, sizeof unnamed.sa_family);
}

void http_close_after_answers(struct http *h)
{
	atomic_store(&h->all.closing, true);
}

void http_drain(struct http *h)
{
	if (h->drained)
		return;
	h->drained = true;
	http_close_after_answers(h);
	acceptor_stop(h->acceptor);
	if (h->acceptor && !h->listener.shared) {
		acceptor_empty_backlog(h->acceptor, clock_now_ns() + (int64_t)h->all.options.limits->deadline_ms * 1000000);
		shutdown(h->listener.fd, SHUT_RDWR); // else the kernel goes on accepting connections
	}
	in_flight_drain(&h->all.in_flight, FRESH_S);
}

void http_stop(struct http *h)
{
	if (!h->daemon)
		return;
	http_drain(h);
	MHD_stop_daemon(h->daemon);
	h->daemon = NULL;
	acceptor_close(h->acceptor);
	listen_close(&h->listener);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	http_stop(h);
	listen_close(&h->listener);
	departures_close(h->all.departures);
	timeouts_close(h->all.timeouts);
	in_flight_fini(&h->all.in_flight);
	keys_close(h->all.admission.keys);
	tls_unload();
	free(h);
}
