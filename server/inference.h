// inference: what all routes share that have pictures computed: a call (route.h) around one job, the two ways to compute it, what
// is answered when that fails, and what is counted. Knows neither bodies nor answers.
#pragma once

#include "server/api.h"
#include "server/batcher.h"
#include "server/models.h"
#include "server/route.h"

#include <stdbool.h>

// A route's call begins with one. One thread at a time.
struct inference {
	const struct api *api;
	struct model *model; // a reference, for as long as the call lives
	struct batcher_job job;
	int deadline_ms;
	int64_t came_ns, ready_ns; // clock_now_ns when the request was there, and when its pictures were read
	void (*done)(void *);
	void *done_arg;
};

// Whether the request has a body, if an empty one; or the response says 411.
bool inference_has_body(const struct route_request *request, struct route_response *response);

// A reference to the model of that name (NULL: the first); or NULL, and the response says 404.
struct model *inference_model(const struct api *api, const char *name, struct route_response *response);

// What the response's account is told once a request is read: its model, its n pictures, and the time that it took.
void inference_account(const struct model *model, int n, int64_t came_ns, struct route_response *response);

// Takes the model's reference over. came_ns: when the request was there; it has deadline_ms from then on, and reading it has taken of
// that. The caller sets what the job is about, all the call's: n, scores, and ink or pixels.
void inference_init(struct inference *x, const struct api *api, struct model *model, const struct route_request *request,
		    int64_t came_ns, int deadline_ms);
void inference_fini(struct inference *x);

// A route's submit() and compute().
void inference_submit(void *call, void (*done)(void *arg), void *arg);
void inference_compute(void *const *calls, int n);

// Whether there are scores, and all of them numbers. Otherwise the response says what went wrong, and that is counted. Tells the
// response's account what time was spent.
bool inference_succeeded(struct inference *x, struct route_response *response);

void inference_count_success(const struct inference *x); // when the answer is written
void inference_count_failure(const struct model *model, int64_t came_ns); // of a request that named this model
