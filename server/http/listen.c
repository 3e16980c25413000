// A name may have several addresses; the first that can be bound is used.
//
// SO_REUSEPORT is not offered: each listener would have a backlog of its own, which is reset when its daemon ends. A socket that a
// supervisor holds has one backlog, which the next daemon accepts from.
#include "server/http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_PASSED_FD = 3 }; // SD_LISTEN_FDS_START

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

static int open_tcp(const char *host, int port, int *fd, struct err *e)
{
	char service[8];
	snprintf(service, sizeof service, "%d", port);
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *all;
	int failed = getaddrinfo(host, service, &hints, &all);
	if (failed)
		return err_set(e, "--listen: \"%.60s\" is no address of this machine: %s", host, gai_strerror(failed));
	*fd = -1;
	for (const struct addrinfo *a = all; a && *fd < 0; a = a->ai_next)
		*fd = bind_one(a);
	int saved = errno;
	freeaddrinfo(all);
	errno = saved;
	return *fd < 0 ? err_errno(e, "cannot listen at %.60s port %d (--listen takes another)", host, port) : 0;
}

// Whether a socket file was left behind by a daemon that has ended.
static bool is_stale(const struct addrinfo *a, const char *path)
{
	struct stat file;
	if (lstat(path, &file) || !S_ISSOCK(file.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return refused;
}

static int open_unix(const char *path, struct listener *l, struct err *e)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof name.sun_path)
		return err_set(e, "--listen: the path %.150s has more than %zu characters", path, sizeof name.sun_path - 1);
	strcpy(name.sun_path, path);
	const struct addrinfo a = {
		.ai_family = AF_UNIX,
		.ai_socktype = SOCK_STREAM,
		.ai_addr = (struct sockaddr *)&name,
		.ai_addrlen = sizeof name,
	};
	mode_t mask = umask(0117);
	l->fd = bind_one(&a);
	if (l->fd < 0 && errno == EADDRINUSE && is_stale(&a, path) && unlink(path) == 0)
		l->fd = bind_one(&a);
	umask(mask); // leaves errno as it is
	struct stat file;
	if (l->fd < 0)
		return err_errno(e, "cannot listen at %.150s (--listen unix:PATH takes another)", path);
	if (lstat(path, &file) == 0)
		l->inode = file.st_ino;
	return 0;
}

static int adopt_passed(struct listener *l, struct err *e)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	int listens = 0;
	socklen_t size = sizeof listens;
	if (!pid || !n || strtol(pid, NULL, 10) != (long)getpid())
		return err_set(e, "--listen systemd: LISTEN_PID and LISTEN_FDS name no socket for this process; start it by a "
				  ".socket unit");
	if (strcmp(n, "1") != 0)
		return err_set(e, "--listen systemd: %.20s sockets were passed; keep one ListenStream=", n);
	if (getsockopt(FIRST_PASSED_FD, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) || !listens)
		return err_set(e, "--listen systemd: the passed descriptor is no listening stream socket; the .socket unit needs "
				  "ListenStream= and "
				  "Accept=no");
	if (fcntl(FIRST_PASSED_FD, F_SETFD, FD_CLOEXEC) || fcntl(FIRST_PASSED_FD, F_SETFL, O_NONBLOCK))
		return err_errno(e, "--listen systemd");
	l->fd = FIRST_PASSED_FD;
	l->shared = true;
	return 0;
}

static bool is_loopback(const struct sockaddr_storage *name)
{
	if (name->ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)name)->sin_addr.s_addr) >> 24 == 127;
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)name)->sin6_addr;
	return name->ss_family == AF_INET6 && (IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127));
}

// Fills in what the socket is bound to.
static int read_address(struct listener *l, struct err *e)
{
	struct sockaddr_storage name = { 0 };
	socklen_t n_name = sizeof name - 1; // a path need not end in a 0
	char number[INET6_ADDRSTRLEN + 16], service[8];
	if (getsockname(l->fd, (struct sockaddr *)&name, &n_name))
		return err_errno(e, "cannot read the address of the listening socket");
	if (name.ss_family == AF_UNIX) {
		snprintf(l->address, sizeof l->address, "unix:%s", ((const struct sockaddr_un *)&name)->sun_path);
		return 0;
	}
	int failed = getnameinfo((struct sockaddr *)&name, n_name, number, sizeof number, service, sizeof service,
				 NI_NUMERICHOST | NI_NUMERICSERV);
	if (failed)
		return err_set(e, "cannot read the address of the listening socket: %s", gai_strerror(failed));
	snprintf(l->address, sizeof l->address, name.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", number, service);
	l->loopback = is_loopback(&name);
	return 0;
}

int listen_open(const struct listen_spec *spec, struct listener *listener, struct err *e)
{
	struct listener l = { .fd = -1 };
	int failed = spec->kind == LISTEN_TCP    ? open_tcp(spec->host, spec->port, &l.fd, e)
		     : spec->kind == LISTEN_UNIX ? open_unix(spec->host, &l, e)
						 : adopt_passed(&l, e);
	if (!failed && read_address(&l, e)) {
		listen_close(&l);
		failed = -1;
	}
	if (!failed)
		*listener = l;
	return failed;
}

void listen_shrink_backlog(const struct listener *listener)
{
	listen(listener->fd, 0);
}

bool listen_has_backlog(const struct listener *listener)
{
	struct pollfd queue = { .fd = listener->fd, .events = POLLIN };
	return poll(&queue, 1, 0) > 0;
}

void listen_close(struct listener *l)
{
	struct stat file;
	const char *path = strncmp(l->address, "unix:", 5) == 0 ? l->address + 5 : "";
	if (l->inode && lstat(path, &file) == 0 && file.st_ino == l->inode)
		unlink(path);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->inode = 0;
}
