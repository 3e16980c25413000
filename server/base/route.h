// route: what a handler sees of HTTP: a request, the response it fills, and the routes that lead to it. No sockets here:
// http/exchange.c brings requests and takes responses, and a test may do the same.
#pragma once

#include "core/text.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROUTE_MAX_ARGUMENTS = 16, ROUTE_MAX_HEADERS = 20, ROUTE_MAX_CALLS = 64, ROUTE_MAX_PARTS = 2, ROUTE_MAX_PART = 64 };

enum { ROUTE_CLIENT_GONE = 499 }; // a status that is neither sent nor counted: there is nobody to answer

struct route_argument {
	const char *name, *value; // of the query; value is "" where the URL has none
};

// What stands for the '*' of a route's path, in order.
struct route_parts {
	char part[ROUTE_MAX_PARTS][ROUTE_MAX_PART];
};

// Borrowed for the call that takes it.
struct route_request {
	int n_arguments;
	struct route_argument arguments[ROUTE_MAX_ARGUMENTS];
	struct route_parts parts;
	const char *(*find_header)(const void *headers, const char *name); // use route_header()
	const void *headers;
	const char *body; // n_body bytes and a 0 behind them; never NULL
	size_t n_body;
	const atomic_bool
		*gone; // becomes true when the client has left a submitted call; lives as long as the call. NULL: nobody looks
};

// A header of the request, NULL where it is missing; of those that are there twice, the first.
const char *route_header(const struct route_request *request, const char *name);

struct route_header {
	const char *name, *value;
};

// The stages that a request with pictures goes through.
enum route_stage { ROUTE_DECODE, ROUTE_QUEUE, ROUTE_COMPUTE, ROUTE_N_STAGES };

// Why a request was turned away that might have been answered at another time or by somebody else.
enum route_rejection {
	ROUTE_NOT_REJECTED,
	ROUTE_QUEUE_FULL,
	ROUTE_LATE, // no answer within the deadline
	ROUTE_STOPPING, // the daemon goes down
	ROUTE_BODY_TOO_LARGE,
	ROUTE_NO_BUFFER, // all bodies that come in are too much together
	ROUTE_NO_KEY,
	ROUTE_FORBIDDEN, // Host or Origin
	ROUTE_NO_CONNECTION, // there are as many as there may be
	ROUTE_N_REJECTIONS,
};

// What was seen in a picture, beside the digits 0 to 9.
enum { ROUTE_REFUSED = 10, ROUTE_UNREADABLE, ROUTE_N_SEEN };

// What a route tells of a request beside the answer, for metrics, the header Server-Timing and the access log.
struct route_account {
	char model[64]; // its name, "" where none is meant
	int n_pictures; // that came
	unsigned stages; // 1 << stage: it went through that
	int64_t ns[ROUTE_N_STAGES];
	enum route_rejection rejection;
	int seen[ROUTE_N_SEEN]; // pictures in which a digit, none, or no picture was seen
};

void route_account_add(struct route_account *account, enum route_stage stage, int64_t ns);

// Zero-initialise. status 0: not filled yet.
struct route_response {
	int status;
	const char *content_type;
	const char *body;
	size_t n_body; // under 304 what it would have under 200 (RFC 9110 section 8.6); none of it is sent
	char *owned; // what to free with the response: the body, or NULL if that is constant
	int n_headers;
	struct route_header headers[ROUTE_MAX_HEADERS]; // constant strings, or the call's, which outlives its response
	struct route_account account;
};

// Work that a route leaves to a worker. The route's own struct begins with one.
struct route_call {
	const struct route_worker *worker;
};

// Who does the work of calls, in one of two ways; the other is NULL. submit() hands a call to another thread and returns at once;
// done(arg) is called when it is through, once, on any thread, maybe before submit() returns. compute() does the work of n calls,
// of any routes that leave work to this worker; n is 1..ROUTE_MAX_CALLS.
struct route_worker {
	void (*submit)(struct route_call *call, void (*done)(void *arg), void *arg);
	void (*compute)(struct route_call *const *calls, int n);
};

// A path that answers; a '*' stands for one part of it, not empty, as in /v2/models/*. GET stands for HEAD too.
//
// start() fills the response and returns NULL, or returns a call, whose worker gets it. After that finish() fills the response.
// discard() frees the call in any case, even before. A route whose start() always answers leaves finish and discard NULL. Only a
// POST's body is kept for start() to read.
struct route {
	const char *path, *method;
	struct route_call *(*start)(void *context, const struct route_request *, struct route_response *);
	void (*finish)(struct route_call *call, struct route_response *);
	void (*discard)(struct route_call *call);
};

// Some routes and what their start() is given.
struct route_table {
	const struct route *routes;
	int n_routes;
	void *context;
};

// The route for a method and path, its context and what of the path stands for its '*'. NULL: *response says 404, or 405 with the
// methods there are.
const struct route *route_find(const struct route_table *tables, int n_tables, const char *method, const char *path, void **context,
			       struct route_parts *parts, struct route_response *response);

void route_header_add(struct route_response *response, const char *name, const char *value);

// Takes the text for the body; if its memory ran out the answer is 500.
void route_answer_json(struct route_response *response, int status, struct text *text);

// {"error": "…"}. 503 comes with Retry-After.
void route_answer_error(struct route_response *response, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
