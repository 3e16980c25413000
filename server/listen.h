// listen: the socket that the daemon answers at.
#pragma once

#include "core/err.h"

enum { LISTEN_MAX_ADDRESS = 80 };

// Binds host:port (port 0: a free one) and listens. address: what was bound, "127.0.0.1:8080" or "[::1]:8080". The caller
// closes *fd.
int listen_open(const char *host, int port, int *fd, char address[LISTEN_MAX_ADDRESS], struct err *e);
