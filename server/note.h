// note: what is told of a request beside its answer: its id, its times and sizes. exchange.c fills one a request; metrics, the
// answer's headers and the access log are made of it. Knows no sockets; a note belongs to its request.
#pragma once

#include "server/metrics.h"
#include "server/route.h"
#include "server/trace.h"

#include <stdbool.h>
#include <stdint.h>

enum { NOTE_MAX_METHOD = 16, NOTE_MAX_PATH = 256, NOTE_MAX_TIMING = 128 };

struct note {
	int64_t began_ns, took_ns; // until the answer was handed over
	int status; // 0: no answer yet
	uint64_t n_in, n_out; // bytes of the bodies
	char id[TRACE_MAX_ID + 1];
	struct route_account account;

	// For the access log; "" without one.
	char trace_id[TRACE_ID + 1];
	char method[NOTE_MAX_METHOD], path[NOTE_MAX_PATH]; // as note_encode writes them
};

// A request begins. logged: it will be in the access log. Of its URL the path alone is taken: a query may hold what is no log's
// business.
void note_begin(struct note *r, const struct route_request *request, const char *method, const char *path, bool logged);

// It has its answer: counts it. route: NULL if there was none.
void note_answer(struct note *r, struct metrics *metrics, const struct route *route, const struct route_response *response);

// The value of a Server-Timing header (https://www.w3.org/TR/server-timing/), in milliseconds. False: there is nothing to say.
bool note_server_timing(const struct route_account *account, char timing[NOTE_MAX_TIMING]);

// s as a URL has it: what is not printable ASCII, and quotes, backslash and %, as %XX. Cut to n - 1 bytes, then with "..." at its end.
void note_encode(const char *s, char *encoded, size_t n);

extern const char *const note_stages[ROUTE_N_STAGES];
