// The server chooses the thread of a connection by its descriptor's number, so each probe gets a number that leads to its thread.
#include "server/supervise/liveness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void liveness_init(struct liveness *l, int (*add_connection)(void *arg, int fd), void *arg, int n_threads)
{
	l->add_connection = add_connection;
	l->arg = arg;
	l->n_threads = n_threads;
	for (int i = 0; i < n_threads; i++)
		l->ends[i] = -1;
}

static void close_end(int *fd)
{
	close(*fd);
	*fd = -1;
}

void liveness_fini(struct liveness *l)
{
	for (int i = 0; i < l->n_threads; i++)
		if (l->ends[i] >= 0)
			close_end(&l->ends[i]);
}

// Closes fd and returns a duplicate whose number modulo n is `rest`, or -1.
static int renumber(int fd, int rest, int n)
{
	int found = fd;
	while (found >= 0 && found % n != rest) {
		int next = fcntl(fd, F_DUPFD_CLOEXEC, found + (rest - found % n + n) % n);
		if (found != fd)
			close(found);
		found = next;
	}
	if (found != fd)
		close(fd);
	return found;
}

void liveness_send_probes(struct liveness *l)
{
	for (int i = 0; i < l->n_threads; i++) {
		int pair[2];
		if (l->ends[i] >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			continue;
		int probe = renumber(pair[1], i, l->n_threads);
		l->ends[i] = pair[0];
		shutdown(pair[0], SHUT_WR);
		if (probe < 0 || l->add_connection(l->arg, probe))
			close_end(&l->ends[i]);
	}
}

bool liveness_all_closed(struct liveness *l)
{
	bool all = true;
	for (int i = 0; i < l->n_threads; i++) {
		char byte;
		if (l->ends[i] < 0)
			continue;
		if (recv(l->ends[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
			all = false;
		else
			close_end(&l->ends[i]);
	}
	return all;
}
