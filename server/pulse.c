// Which thread gets a connection is a matter of its descriptor's number (http_take), so a number is looked for.
#include "server/pulse.h"

#include "server/http.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void pulse_init(struct pulse *p, struct http *http, int n_threads)
{
	p->http = http;
	p->n_threads = n_threads;
	for (int i = 0; i < n_threads; i++)
		p->ends[i] = -1;
}

static void drop(int *fd)
{
	close(*fd);
	*fd = -1;
}

void pulse_fini(struct pulse *p)
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

void pulse_ask(struct pulse *p)
{
	for (int i = 0; i < p->n_threads; i++) {
		int pair[2];
		if (p->ends[i] >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			continue;
		int theirs = renumber(pair[1], i, p->n_threads);
		p->ends[i] = pair[0];
		shutdown(pair[0], SHUT_WR);
		if (theirs < 0 || http_take(p->http, theirs))
			drop(&p->ends[i]);
	}
}

bool pulse_is_felt(struct pulse *p)
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
