// admission: which requests are let in. A pure decision from the daemon's settings and a request's head; no sockets.
//
// Host is checked against a page elsewhere whose name its owner has pointed at this machine (DNS rebinding), Origin against a
// page elsewhere that posts here from a visitor's browser. Neither header comes from a client that is no browser, or it is of
// its own making: they are no substitute for keys.
#pragma once

#include "core/err.h"
#include "server/http/keys.h"
#include "server/base/route.h"

#include <stdbool.h>

struct admission_names {
	const char *names[16]; // borrowed; n
	int n;
};

// Borrowed members.
struct admission {
	const struct admission_names *hosts; // what Host may say beside loopback's names; none, and no loopback: all is accepted
	const struct admission_names *origins; // of pages elsewhere that may ask (CORS); "*" is all
	bool loopback; // the daemon listens there only
	struct keys *keys; // NULL: none is needed
};

// True: the request may go on to its route. False: the response is filled, 401 or 403, or 204 for a preflight. In any case it
// has the headers of CORS that are due. `request` has its headers, and nothing else is read of it. Any thread.
bool admission_let_in(const struct admission *admission, const char *method, const char *path, const struct route_request *request,
		      struct route_response *response);

// Whether a path answers without a key: probes, and the page's files.
bool admission_path_is_open(const char *path);

// Of a --cors-origin and a --host: whether it can ever match.
int admission_check_origin(const char *origin, struct err *e);
int admission_check_host(const char *host, struct err *e);
