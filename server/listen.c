// A name may have several addresses; the first that can be bound is taken.
#include "server/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int bind_one(const struct addrinfo *a)
{
	int one = 1;
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) || bind(fd, a->ai_addr, a->ai_addrlen) ||
	    listen(fd, SOMAXCONN)) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int listen_open(const char *host, int port, int *fd, char address[LISTEN_MAX_ADDRESS], struct err *e)
{
	char service[8];
	snprintf(service, sizeof service, "%d", port);
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *all;
	int failed = getaddrinfo(host, service, &hints, &all);
	if (failed)
		return err_set(e, "--listen: \"%.60s\" is no address of this machine: %s", host, gai_strerror(failed));
	int bound = -1;
	for (const struct addrinfo *a = all; a && bound < 0; a = a->ai_next)
		bound = bind_one(a);
	int saved = errno;
	freeaddrinfo(all);
	errno = saved;
	if (bound < 0)
		return err_errno(e, "cannot listen at %.60s port %d (--listen takes another)", host, port);

	struct sockaddr_storage name;
	socklen_t n_name = sizeof name;
	char number[INET6_ADDRSTRLEN + 16];
	if (getsockname(bound, (struct sockaddr *)&name, &n_name) ||
	    getnameinfo((struct sockaddr *)&name, n_name, number, sizeof number, service, sizeof service,
			NI_NUMERICHOST | NI_NUMERICSERV)) {
		close(bound);
		return err_set(e, "cannot tell what %.60s port %d was bound to", host, port);
	}
	snprintf(address, LISTEN_MAX_ADDRESS, name.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", number, service);
	*fd = bound;
	return 0;
}
