// listen: the socket that the daemon answers at: of its own, by address or by path, or one that a supervisor holds and passes on.
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
	char host[LISTEN_MAX_HOST]; // a name, an IPv4 address or an IPv6 address without its brackets; of LISTEN_UNIX the path
	int port; // 0: any free one
};

struct listener {
	int fd; // does not block
	char address[LISTEN_MAX_ADDRESS]; // what was bound: "127.0.0.1:8080", "[::1]:8080" or "unix:/run/lenetd.sock"
	bool loopback; // no other machine comes here, but every page in a browser on this one may
	bool shared; // others may listen here, too: what waits to be accepted is theirs when we go
	unsigned long inode; // of the socket file that is ours
};

// A socket file gets mode 0660. One that is there already is replaced if nobody answers at it.
int listen_open(const struct listen_spec *spec, struct listener *listener, struct err *e);

// The kernel accepts hardly any more connections, so that those that wait to be taken come to an end. Whoever comes now knocks
// until the socket is closed, and is refused then.
void listen_stop_queueing(const struct listener *listener);
bool listen_has_queued(const struct listener *listener);

// Closes, and removes a socket file that is still ours. Nothing if fd is -1.
void listen_close(struct listener *listener);
