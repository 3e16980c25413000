#include "server/http/acceptor.h"

#include "core/log.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { RETRY_MS = 50 }; // after a failure for lack of descriptors or memory

struct acceptor {
	struct acceptor_options options;
	pthread_t thread;
	int wake; // readable when the thread is to end
	bool stopped;
	bool failing; // the last accept failed for lack of descriptors or memory
};

// Returns 0, or what kept it from accepting (errno).
static int accept_one(const struct acceptor_options *o)
{
	struct sockaddr_storage address;
	socklen_t n = sizeof address;
	int fd = accept4(o->listener->fd, (struct sockaddr *)&address, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return errno;
	in_flight_accept(o->in_flight);
	if (o->add(o->arg, fd, (struct sockaddr *)&address, n))
		in_flight_cancel_accept(o->in_flight);
	return 0;
}

static void report(struct acceptor *a, int error)
{
	if (error && !a->failing)
		log_warning("cannot accept connections: %s; trying again", strerror(error));
	else if (!error && a->failing)
		log_info("accepting connections again");
	a->failing = error != 0;
}

static void *run(void *arg)
{
	struct acceptor *a = arg;
	struct pollfd waiting[] = { { .fd = a->wake, .events = POLLIN }, { .fd = a->options.listener->fd, .events = POLLIN } };
	while (in_flight_await_place(a->options.in_flight)) {
		poll(waiting, a->failing ? 1 : 2, a->failing ? RETRY_MS : -1);
		int error = accept_one(&a->options);
		// Network errors of the new connection are also returned here (accept(2)): only these are of this machine.
		if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS)
			report(a, error);
		else if (!error)
			report(a, 0);
	}
	return NULL;
}

int acceptor_open(const struct acceptor_options *options, struct acceptor **acceptor, struct err *e)
{
	struct acceptor *a = calloc(1, sizeof *a);
	if (!a)
		return err_set(e, "no memory for accepting connections");
	a->options = *options;
	a->wake = eventfd(0, EFD_CLOEXEC);
	if (a->wake < 0 || (errno = pthread_create(&a->thread, NULL, run, a))) {
		err_errno(e, "cannot start the thread that accepts connections");
		a->stopped = true;
		acceptor_close(a);
		return -1;
	}
	*acceptor = a;
	return 0;
}

void acceptor_stop(struct acceptor *a)
{
	if (!a || a->stopped)
		return;
	a->stopped = true;
	in_flight_stop_accepting(a->options.in_flight);
	eventfd_write(a->wake, 1);
	pthread_join(a->thread, NULL);
}

void acceptor_empty_backlog(struct acceptor *a, int64_t until_ns)
{
	const struct acceptor_options *o = &a->options;
	listen_shrink_backlog(o->listener);
	while (listen_has_backlog(o->listener)) {
		if (!in_flight_has_room(o->in_flight))
			timeouts_shut_idle(o->timeouts);
		if (!in_flight_await_room(o->in_flight, until_ns) || accept_one(o))
			return;
	}
}

void acceptor_close(struct acceptor *a)
{
	if (!a)
		return;
	acceptor_stop(a);
	if (a->wake >= 0)
		close(a->wake);
	free(a);
}
