// inference: what all routes share that have pictures computed: a call (base/route.h) around one job, from the request to the
// answer. What differs between them is a struct inference_kind: how a body is read, and how an answer is written.
#pragma once

#include "server/base/limits.h"
#include "server/base/route.h"
#include "server/compute/service.h"
#include "server/routes/routes.h"

// A route's call begins with one. One thread at a time.
struct inference {
	struct route_call call;
	const struct inference_kind *kind;
	struct service *service; // borrowed
	struct model *model; // a reference, for as long as the call lives
	struct job job;
	float one[LENET5_DIGITS]; // the scores of a single picture
	int n_pictures; // in the request; job.n of them can be used
	int deadline_ms;
	int64_t came_ns, ready_ns; // clock_now_ns when the request was there, and when its pictures were read
	void (*done)(void *);
	void *done_arg;
};

struct inference_kind {
	size_t bytes; // of the route's call

	// The model that the request is about: a reference, or NULL, and the response says why there is none.
	struct model *(*model)(const struct routes_context *, const struct route_request *, struct route_response *);

	// Reads the body: n_pictures, job.n, and job.pixels or job.ink, which are the call's. Returns 200, or a status and e for the
	// sender. n_pictures counts in either case.
	int (*read)(struct inference *, const struct route_request *, const struct limits *, struct err *e);

	// Writes the answer from job.scores; if job.n is 0, none of the pictures could be used.
	void (*answer)(struct inference *, struct route_response *);

	void (*fini)(struct inference *); // what read() has taken
};

// The three functions of a route of that kind: a route's start() calls the first. The job's deadline is counted from here on.
struct route_call *inference_start(const struct inference_kind *kind, const struct routes_context *context,
				   const struct route_request *request, struct route_response *response);
void inference_finish(struct route_call *call, struct route_response *response);
void inference_discard(struct route_call *call); // NULL is fine

// A reference to the model of that name (NULL: the first); or NULL, and the response says 404.
struct model *inference_model(const struct routes_context *context, const char *name, struct route_response *response);

// Counts a picture in the response's account in which `digit` was seen, or one of route.h's ROUTE_REFUSED, ROUTE_UNREADABLE.
void inference_saw(struct route_response *response, int digit);
