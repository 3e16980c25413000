// admission: which requests may reach a route: a pure decision from the daemon's settings and a request's head. Knows no sockets.
//
// Host is checked against DNS rebinding: a web page whose name has been pointed at this machine. Origin is checked against a foreign
// page that posts here from a visitor's browser. Other clients may send any Host and Origin, so neither replaces keys.
#pragma once

#include "core/err.h"
#include "server/base/route.h"
#include "server/http/keys.h"

#include <stdbool.h>

struct admission_names {
	const char *names[16]; // borrowed; n of them
	int n;
};

// Borrowed members.
struct admission {
	const struct admission_names *hosts; // accepted beside loopback's names; if empty and not loopback, every Host is
	const struct admission_names *origins; // of foreign pages that may ask (CORS); "*" is all
	bool loopback; // the daemon listens on loopback only
	struct keys *keys; // NULL: no key is needed
};

// True: the request may go on to its route. False: the response is filled: 400, 401 or 403, or 204 for a preflight. In both cases the
// response gets its CORS headers. Only the headers of `request` are read. Any thread.
bool admission_check(const struct admission *admission, const char *method, const char *path, const struct route_request *request,
		     struct route_response *response);

// Whether a path needs no key: probes, and the page's files.
bool admission_path_is_public(const char *path);

// Check a --cors-origin and a --host: whether it can ever match.
int admission_check_origin(const char *origin, struct err *e);
int admission_check_host(const char *host, struct err *e);
