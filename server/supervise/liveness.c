// Which thread gets a connection is a matter of its descriptor's number (the server's), so a number is looked for.
#include "server/supervise/liveness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void liveness_init(struct liveness *p, int (*take)(void *arg, int fd), void *arg, int n_threads)
{
	p->take = take;
	p->arg = arg;
	p->n_threads = n_threads;
	for (int i = 0; i < n_threads; i++)
		p->ends[i] = -1;
}

static void drop(int *fd)
{
	close(*fd);
	*fd = -1;
}

void liveness_fini(struct liveness *p)
{
	for (int i = 0; i < p->n_threads; i++)
		if (p->ends[i] >= 0)
			drop(&p->ends[i]);
}

// Closes fd and returns it again under a number that is `rest` more than a multiple of n, or -1.
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

void liveness_ask(struct liveness *p)
{
	for (int i = 0; i < p->n_threads; i++) {
		int pair[2];
		if (p->ends[i] >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			continue;
		int theirs = renumber(pair[1], i, p->n_threads);
		p->ends[i] = pair[0];
		shutdown(pair[0], SHUT_WR);
		if (theirs < 0 || p->take(p->arg, theirs))
			drop(&p->ends[i]);
	}
}

bool liveness_is_felt(struct liveness *p)
{
	bool all = true;
	for (int i = 0; i < p->n_threads; i++) {
		char byte;
		if (p->ends[i] < 0)
			continue;
		if (recv(p->ends[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
			all = false;
		else
			drop(&p->ends[i]);
	}
	return all;
}
