// route: HTTP as a handler sees it: the request, the response that the handler fills, and the table of routes. Knows no sockets:
// http/exchange.c passes requests in and sends the responses, and so may a test.
#pragma once

#include "core/text.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROUTE_MAX_ARGUMENTS = 16, ROUTE_MAX_HEADERS = 20, ROUTE_MAX_CALLS = 64, ROUTE_MAX_PARTS = 2, ROUTE_MAX_PART = 64 };

enum { ROUTE_CLIENT_GONE = 499 }; // the client has disconnected: this status is neither sent nor counted

struct route_argument {
	const char *name, *value; // of the query; value is "" where the URL has none
};

// The parts of the path that stand for the '*' of a route's path, in order.
struct route_parts {
	char part[ROUTE_MAX_PARTS][ROUTE_MAX_PART];
};

// Valid during the call that receives it. Of a request whose call keeps_request, the body and the values of headers and arguments are
// valid until the call is done.
struct route_request {
	const struct route *route; // set by route_start
	int n_arguments;
	struct route_argument arguments[ROUTE_MAX_ARGUMENTS];
	struct route_parts parts;
	const char *(*find_header)(const void *headers, const char *name); // use route_header()
	const void *headers;
	const char *body; // n_body bytes and a 0 behind them; never NULL
	size_t n_body;
	const atomic_bool *gone; // becomes true when the client disconnects during a submitted call, and lives as long; or NULL
	uint64_t client; // equal for requests of one client, as far as its address tells
};

// The value of a request's header, the first one if it is repeated; NULL if it is missing.
const char *route_header(const struct route_request *request, const char *name);

struct route_header {
	const char *name, *value;
};

// The stages of a request with pictures.
enum route_stage {
	ROUTE_WAIT, // for a decoder; only requests that cost more than a small picture have it
	ROUTE_DECODE,
	ROUTE_QUEUE,
	ROUTE_COMPUTE,
	ROUTE_N_STAGES
};

// Why the daemon rejects a request that it would accept at another time or from another client.
enum route_rejection {
	ROUTE_NOT_REJECTED,
	ROUTE_QUEUE_FULL,
	ROUTE_DECODE_QUEUE_FULL,
	ROUTE_LATE, // no answer within the deadline
	ROUTE_STOPPING, // the daemon is going down
	ROUTE_BODY_TOO_LARGE,
	ROUTE_NO_BUFFER, // all bodies being received exceed --max-buffer
	ROUTE_NO_KEY,
	ROUTE_FORBIDDEN, // Host or Origin
	ROUTE_NO_CONNECTION, // over --max-connections
	ROUTE_N_REJECTIONS,
};

// The result for a picture, beside the digits 0 to 9: the reason why the picture shows none, or that it could not be read.
enum {
	ROUTE_BLANK = 10,
	ROUTE_NO_DIGIT,
	ROUTE_SEVERAL_DIGITS,
	ROUTE_TOO_SMALL,
	ROUTE_TOO_BLURRED,
	ROUTE_UNREADABLE,
	ROUTE_N_SEEN,
	ROUTE_FIRST_REFUSED = ROUTE_BLANK,
	ROUTE_END_REFUSED = ROUTE_UNREADABLE,
};
extern const char *const route_seen_names[ROUTE_N_SEEN]; // "0", "no_digit": for metrics and logs

// What a route reports about a request, for metrics, the header Server-Timing and the access log.
struct route_account {
	char model[64]; // its name, or ""
	int n_pictures; // in the request
	unsigned stages; // 1 << stage for each that the request went through
	int64_t ns[ROUTE_N_STAGES];
	enum route_rejection rejection;
	int seen[ROUTE_N_SEEN]; // pictures by result
};

void route_account_add(struct route_account *account, enum route_stage stage, int64_t ns);

// Zero-initialise. status 0: not filled yet.
struct route_response {
	int status;
	const char *content_type;
	const char *body;
	size_t n_body; // under 304 the size that 200 would send (RFC 9110 section 8.6); no body is sent then
	char *owned; // freed with the response: the body, or NULL if that is constant
	int n_headers;
	struct route_header headers[ROUTE_MAX_HEADERS]; // strings are constants, or belong to the call, which outlives its response
	struct route_account account;
};

// Work that a route leaves to a worker. The route's own struct begins with one.
struct route_call {
	const struct route_worker *worker;
	bool keeps_request; // a submitted call still reads the request
};

// Does the work of calls in one of two ways; the other function is NULL.
struct route_worker {
	// Passes a call to another thread and returns at once. done(arg) is called once, on any thread, perhaps before submit() returns.
	void (*submit)(struct route_call *call, void (*done)(void *arg), void *arg);
	// Does the work of n calls, 1..ROUTE_MAX_CALLS, of any routes that have this worker.
	void (*compute)(struct route_call *const *calls, int n);
};

// A path and its handler. A '*' matches one part of the path that is not empty, as in /v2/models/*. GET includes HEAD. Only the body of
// a POST is kept for the handler.
//
// A route either has answer(), which fills the response, or the other three: start() fills the response and returns NULL, or returns a
// call; when its worker is done, finish() fills the response. discard() frees the call, finished or not.
struct route {
	const char *path, *method;
	const void *arg; // distinguishes routes with the same functions, which read it as request->route->arg
	void (*answer)(void *context, const struct route_request *, struct route_response *);
	struct route_call *(*start)(void *context, const struct route_request *, struct route_response *);
	void (*finish)(struct route_call *call, struct route_response *);
	void (*discard)(struct route_call *call);
};

// Routes that share a context.
struct route_table {
	const struct route *routes;
	int n_routes;
	void *context;
};

// The route for a method and path, its context, and the parts for its '*'. NULL: the response is filled with 404, or with 405 and
// the methods that are allowed.
const struct route *route_find(const struct route_table *tables, int n_tables, const char *method, const char *path, void **context,
			       struct route_parts *parts, struct route_response *response);

// Calls answer() or start(). NULL: the response is filled.
struct route_call *route_start(const struct route *route, void *context, struct route_request *request,
			       struct route_response *response);

void route_header_add(struct route_response *response, const char *name, const char *value);

// Takes ownership of text and sends it as the body. Sends 500 instead if text ran out of memory.
void route_answer_json(struct route_response *response, int status, struct text *text);

// The same with status 200 and Cache-Control: no-store, for state that changes.
void route_answer_uncached(struct route_response *response, struct text *text);

// Answers {"error": "…"} with Cache-Control: no-store, and 503 with Retry-After, too.
void route_answer_error(struct route_response *response, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

// The same, and counts the rejection.
void route_reject(struct route_response *response, int status, enum route_rejection reason, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
