// listen: the listening socket: bound to an address or a path, or passed by a supervisor.
#pragma once

#include "core/err.h"

#include <stdbool.h>

enum { LISTEN_MAX_ADDRESS = 160, LISTEN_MAX_HOST = 256 };

enum listen_kind {
	LISTEN_TCP,
	LISTEN_UNIX,
	LISTEN_SYSTEMD, // socket activation, sd_listen_fds(3)
};

struct listen_spec {
	enum listen_kind kind;
	char host[LISTEN_MAX_HOST]; // a name, an IPv4 address, an IPv6 address without brackets, or for LISTEN_UNIX a path
	int port; // 0: any free one
};

struct listener {
	int fd; // non-blocking
	char address[LISTEN_MAX_ADDRESS]; // what it is bound to: "127.0.0.1:8080", "[::1]:8080" or "unix:/run/lenetd.sock"
	bool loopback; // reached from this machine only, but by every page in a browser on it
	bool shared; // passed by a supervisor: its backlog is for the next daemon
	unsigned long inode; // of the socket file that this daemon made
};

// A socket file gets mode 0660. An existing one is replaced if no process listens at it.
int listen_open(const struct listen_spec *spec, struct listener *listener, struct err *e);

// Shrinks the backlog to nearly nothing, so that accepting from it comes to an end. New clients retry until the socket is closed, and
// are refused then.
void listen_shrink_backlog(const struct listener *listener);
bool listen_has_backlog(const struct listener *listener);

// Closes the socket and removes the socket file if this daemon made it. Does nothing if fd is -1.
void listen_close(struct listener *listener);
