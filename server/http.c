// Traps of libmicrohttpd 0.9.75 that shape this file: epoll with one thread stalls, hence a pool; stopping with suspended
// connections is undefined, hence the count of what is in flight.
#include "server/http.h"

#include "core/log.h"
#include "server/clock.h"
#include "server/exchange.h"
#include "server/tls.h"

#include <microhttpd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// So long a daemon that goes down waits for the first request of a connection that it has accepted.
enum { PATIENCE_S = 1 };

struct http {
	struct exchanges all;
	struct MHD_Daemon *daemon;
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
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (o->tls ? MHD_USE_TLS : 0);
	const struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_certificate },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
		{ MHD_OPTION_END, 0, NULL },
	};
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, exchange_handle, &h->all, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
				     MHD_OPTION_LISTEN_SOCKET, o->listener->fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)o->n_threads,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->limits->max_connections + HTTP_RESERVE,
				     MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)o->limits->max_connections_per_address,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)EXCHANGE_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
				     exchange_complete, &h->all, MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, &h->all,
				     MHD_OPTION_URI_LOG_CALLBACK, exchange_line, &h->all, MHD_OPTION_ARRAY, o->tls ? tls : tls + 2,
				     MHD_OPTION_END);
	return h->daemon ? 0 : err_errno(e, "cannot start the HTTP server with %d threads", o->n_threads);
}

int http_open(const struct http_options *options, struct http **http, struct err *e)
{
	struct http *h = calloc(1, sizeof *h);
	if (!h)
		return err_set(e, "no memory for the HTTP server");
	h->all.options = *options;
	h->all.bodies.max = options->limits->max_buffer;
	flight_init(&h->all.flight, options->limits->max_connections);
	if (sweep_open(options->limits, &h->all.sweep, e) || watch_open(&h->all.watch, e) || start(h, e)) {
		http_close(h);
		return -1;
	}
	*http = h;
	return 0;
}

int http_take(struct http *h, int fd)
{
	const struct sockaddr nobody = { .sa_family = AF_UNIX };
	return MHD_add_connection(h->daemon, fd, &nobody, sizeof nobody.sa_family) == MHD_YES ? 0 : -1;
}

void http_close_after_answers(struct http *h)
{
	atomic_store(&h->all.closing, true);
}

// For one connection more; the library would close it if there were none. One that idles makes some.
static bool find_room(struct http *h, const struct timespec *until)
{
	const unsigned max = (unsigned)h->all.options.limits->max_connections + HTTP_RESERVE;
	if (!flight_has_room(&h->all.flight))
		sweep_shut_idle(h->all.sweep);
	if (!flight_await_room(&h->all.flight, until))
		return false;
	// The library counts a connection off a moment after it has told of its end.
	while (MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections >= max)
		sched_yield();
	return true;
}

// What the kernel has accepted and nobody has taken: with the listening socket it would be reset.
static void take_waiting(struct http *h)
{
	struct sockaddr_storage address;
	const struct timespec until = clock_timespec(clock_now_ns() + (int64_t)h->all.options.limits->deadline_ms * 1000000);
	listen_stop_queueing(h->all.options.listener);
	while (listen_has_queued(h->all.options.listener) && find_room(h, &until)) {
		socklen_t n = sizeof address;
		int fd = accept4(h->all.options.listener->fd, (struct sockaddr *)&address, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		flight_expect(&h->all.flight);
		if (MHD_add_connection(h->daemon, fd, (struct sockaddr *)&address, n) != MHD_YES) // and it has closed it
			flight_expect_no_more(&h->all.flight);
	}
}

void http_drain(struct http *h)
{
	if (h->drained)
		return;
	h->drained = true;
	http_close_after_answers(h);
	MHD_quiesce_daemon(h->daemon);
	if (!h->all.options.listener->shared) {
		take_waiting(h);
		shutdown(h->all.options.listener->fd,
			 SHUT_RDWR); // else the kernel goes on taking connections that nobody will answer
	}
	flight_land(&h->all.flight, PATIENCE_S);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	if (h->daemon) {
		http_drain(h);
		MHD_stop_daemon(h->daemon);
	}
	watch_close(h->all.watch);
	sweep_close(h->all.sweep);
	flight_fini(&h->all.flight);
	free(h);
}
