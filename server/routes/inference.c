// start() reads the request and decodes its pictures into the call's job. The service computes the job, on this thread together with the
// jobs of other calls, or on the batcher's. finish() writes the answer.
#include "server/routes/inference.h"

#include "core/clock.h"
#include "server/routes/deadline.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct inference *inference_of(struct route_call *call)
{
	return (struct inference *)call;
}

static void compute(struct route_call *const *calls, int n)
{
	struct job *jobs[ROUTE_MAX_CALLS];
	assert(n > 0 && n <= ROUTE_MAX_CALLS);
	for (int i = 0; i < n; i++)
		jobs[i] = &inference_of(calls[i])->job;
	service_compute(inference_of(calls[0])->service, jobs, n); // there is one service
}

static void submit(struct route_call *call, void (*done)(void *), void *arg)
{
	struct inference *x = inference_of(call);
	x->job.done = done;
	x->job.done_arg = arg;
	if (service_submit(x->service, &x->job) != JOB_OK)
		done(arg);
}

static const struct route_worker here = { .compute = compute }, batcher = { .submit = submit };

struct model *inference_model(const struct routes_context *context, const char *name, struct route_response *response)
{
	struct model *model = models_get(service_models(context->service), name);
	if (!model)
		route_answer_error(response, 404, "no model is called \"%.60s\"; POST /v2/repository/index lists them", name);
	return model;
}

static void add(_Atomic uint64_t *sum, int64_t value)
{
	atomic_fetch_add_explicit(sum, (uint64_t)value, memory_order_relaxed);
}

static void stamp(struct models_statistics *s)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	atomic_store_explicit(&s->last_ms, (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000, memory_order_relaxed);
}

static void count_success(const struct inference *x)
{
	struct models_statistics *s = x->model->statistics;
	int64_t now_ns = clock_now_ns();
	add(&s->n_success, 1);
	add(&s->success_ns, now_ns - x->arrived_ns);
	add(&s->input_ns, x->ready_ns - x->arrived_ns);
	add(&s->queue_ns, x->job.started_ns - x->ready_ns);
	add(&s->infer_ns, x->job.finished_ns - x->job.started_ns);
	add(&s->output_ns, now_ns - x->job.finished_ns);
	stamp(s);
}

static void count_failure(const struct inference *x)
{
	struct models_statistics *s = x->model->statistics;
	add(&s->n_fail, 1);
	add(&s->fail_ns, clock_now_ns() - x->arrived_ns);
	stamp(s);
}

void inference_discard(struct route_call *call)
{
	struct inference *x = inference_of(call);
	if (!x)
		return;
	x->kind->fini(x);
	model_unref(x->model);
	if (x->job.scores != x->one)
		free(x->job.scores);
	free(x);
}

static bool has_body(const struct route_request *request, struct route_response *response)
{
	if (request->n_body || route_header(request, "Content-Length") || route_header(request, "Transfer-Encoding"))
		return true;
	route_answer_error(response, 411, "the request has no Content-Length and no body; POST a picture");
	return false;
}

// Reads the request and allocates the scores. False: the response is filled.
static bool read(struct inference *x, const struct routes_context *context, const struct route_request *request,
		 struct route_response *response)
{
	bool ok = x->kind->read(x, context, request, response);
	if (!x->model)
		return false;
	x->ready_ns = clock_now_ns();
	x->job.model = x->model->engine_model;
	x->job.passes = &x->model->statistics->passes;
	memcpy(response->account.model, x->model->name, sizeof x->model->name);
	response->account.n_pictures = x->n_pictures;
	route_account_add(&response->account, ROUTE_DECODE, x->ready_ns - x->arrived_ns);
	if (!ok)
		return false;
	if (x->job.n == 0) { // nothing to compute
		x->job.started_ns = x->job.finished_ns = x->ready_ns;
		x->kind->answer(x, response);
		return false;
	}
	x->job.scores = x->job.n == 1 ? x->one : malloc((size_t)x->job.n * LENET5_DIGITS * sizeof *x->job.scores);
	if (!x->job.scores)
		route_answer_error(response, 500, "no memory for the answer; try again later");
	return x->job.scores != NULL;
}

struct route_call *inference_start(void *routes_context, const struct route_request *request, struct route_response *response)
{
	const struct routes_context *context = routes_context;
	const struct inference_kind *kind = request->route->arg;
	int64_t arrived_ns = clock_now_ns();
	struct err e;
	if (!has_body(request, response))
		return NULL;
	int deadline_ms = deadline_read(request, context->limits->deadline_ms, &e);
	if (deadline_ms < 0) {
		route_answer_error(response, 400, "%s", e.msg);
		return NULL;
	}
	struct inference *x = malloc(kind->bytes); // calloc would take the lock of all threads (glibc before 2.41)
	if (!x) {
		route_answer_error(response, 500, "no memory for the request; try again later");
		return NULL;
	}
	memset(x, 0, kind->bytes);
	x->call.worker = service_computes_here(context->service) ? &here : &batcher;
	x->kind = kind;
	x->service = context->service;
	x->deadline_ms = deadline_ms;
	x->arrived_ns = arrived_ns;
	x->job.deadline_us = arrived_ns / 1000 + (int64_t)deadline_ms * 1000;
	x->job.gone = request->gone;
	if (read(x, context, request, response))
		return &x->call;
	if (x->model && response->status == 200)
		count_success(x);
	else if (x->model)
		count_failure(x);
	inference_discard(&x->call);
	return NULL;
}

static bool all_finite(const float *scores, int n)
{
	for (int i = 0; i < n; i++)
		if (!isfinite(scores[i]))
			return false;
	return true;
}

// Whether there are scores, all finite. False: the response is filled with the error.
static bool succeeded(const struct inference *x, struct route_response *response)
{
	const struct job *job = &x->job;
	switch (job->result) {
	case JOB_OK:
		if (all_finite(job->scores, job->n * LENET5_DIGITS))
			return true;
		route_answer_error(response, 500, "the model's scores are not finite; its weights are unusable, load others");
		break;
	case JOB_FULL:
		route_reject(response, 503, ROUTE_QUEUE_FULL, "too many pictures are waiting; try again in a second");
		break;
	case JOB_LATE:
		route_reject(response, 503, ROUTE_LATE, "no answer within %d ms: the daemon is overloaded; try again in a second",
			     x->deadline_ms);
		break;
	case JOB_GONE:
		route_answer_error(response, ROUTE_CLIENT_GONE, "the client has disconnected");
		break;
	case JOB_STOPPED:
		route_reject(response, 503, ROUTE_STOPPING, "the daemon is going down; try again");
		break;
	case JOB_FAILED:
		route_answer_error(response, 500, "the engine failed: %s", job->error.msg);
		break;
	}
	return false;
}

void inference_finish(struct route_call *call, struct route_response *response)
{
	struct inference *x = inference_of(call);
	const struct job *job = &x->job;
	if (job->started_ns)
		route_account_add(&response->account, ROUTE_QUEUE, job->started_ns - x->ready_ns);
	if (job->finished_ns)
		route_account_add(&response->account, ROUTE_COMPUTE, job->finished_ns - job->started_ns);
	if (!succeeded(x, response)) {
		count_failure(x);
		return;
	}
	x->kind->answer(x, response);
	count_success(x);
}
