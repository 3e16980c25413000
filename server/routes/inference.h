// inference: the common part of the routes that compute pictures: a call (base/route.h) with one job, from the request to the answer.
// A struct inference_kind holds their differences: how to read a request and how to write its answer.
#pragma once

#include "server/base/limits.h"
#include "server/base/route.h"
#include "server/compute/service.h"
#include "server/routes/effort.h"
#include "server/routes/routes.h"

// A route's call begins with one. One thread at a time.
struct inference {
	struct route_call call;
	const struct inference_kind *kind;
	struct service *service; // borrowed
	const struct limits *limits; // borrowed
	struct model *model; // a reference, as long as the call lives; NULL: the request names none that is served
	struct job job;
	struct decoders_task task; // while a decoder is to read the request
	const char *body; // the request's n_body bytes, and a 0 behind them
	size_t n_body;
	int status; // of the error that job.error describes; 0: none
	enum route_rejection rejection; // counts with that error
	struct route_response *made; // by a decoder: the whole response, the call's until finish; NULL: none
	float one[LENET5_DIGITS]; // the scores of a single picture
	int n_pictures; // in the request
	int deadline_ms;
	int64_t arrived_ns, begun_ns,
		ready_ns; // clock_now_ns of the complete request, and before and after its pictures were decoded
};

struct inference_kind {
	size_t bytes; // of the route's call

	// Reads all but the body: sets `model`. False: the response is filled with the error.
	bool (*begin)(struct inference *, const struct routes_context *, const struct route_request *, struct route_response *);

	// Reads the body: sets n_pictures, job.n, and job.pixels or job.ink, which belong to the call. Returns 0; or a status and e for the
	// sender; or EFFORT_COSTLY or EFFORT_OVERRAN unless effort is EFFORT_WHOLE. On any thread.
	int (*read)(struct inference *, enum effort effort, struct err *e);

	// An upper estimate of the memory in bytes that reading the body takes, beside the body.
	uint64_t (*memory)(const struct inference *);

	// Writes the answer from job.scores, and counts each picture's result in response->account.seen. job.n 0: nothing was
	// computed.
	void (*answer)(struct inference *, struct route_response *);

	void (*fini)(struct inference *); // frees what read() has allocated
};

// A struct route of this kind.
#define INFERENCE_ROUTE(at, of_kind)                                                                                               \
	{                                                                                                                          \
		.path = at, .method = "POST", .arg = of_kind, .start = inference_start, .finish = inference_finish,                \
		.discard = inference_discard                                                                                       \
	}
struct route_call *inference_start(void *context, const struct route_request *request, struct route_response *response);
void inference_finish(struct route_call *call, struct route_response *response);
void inference_discard(struct route_call *call); // NULL is fine

// A reference to the model of that name, NULL for the default. Returns NULL and fills the response with 404 if there is none.
struct model *inference_model(const struct routes_context *context, const char *name, struct route_response *response);
