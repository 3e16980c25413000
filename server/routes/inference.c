// start() reads the request and decodes its pictures into the call's job. The service computes the job, on this thread together with the
// jobs of other calls, or on the batcher's. finish() writes the answer.
//
// If reading costs more than a small picture does, start() leaves it to a decoder, which reads the request and passes the job to the
// batcher; where there is no batcher, it computes the job as well and makes the whole response, since a costly request may have many
// pictures. Pixels may cost more than a header tells, and then reading is given up after EFFORT_SMALL_MS. So that a flood of such pictures
// does not cost a thread this time for each, the thread then leaves all but tiny ones to decoders for a while.
#include "server/routes/inference.h"

#include "core/clock.h"
#include "server/routes/deadline.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WARY_MS = 1000 };

static _Thread_local int64_t
	overran_until_ms; // by clock_coarse_ms: until then this thread reads tiny pictures only; 0: it reads small ones

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
	add(&s->input_ns, x->ready_ns - x->begun_ns);
	add(&s->queue_ns, x->begun_ns - x->arrived_ns + x->job.started_ns - x->ready_ns);
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
	if (x->status) {
		route_answer_error(response, x->status, "%s", job->error.msg);
		response->account.rejection = x->rejection;
		return false;
	}
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

// Fills the response, and counts how the request went.
static void respond(struct inference *x, struct route_response *response)
{
	const struct job *job = &x->job;
	struct route_account *account = &response->account;
	memcpy(account->model, x->model->name, sizeof x->model->name);
	account->n_pictures = x->n_pictures;
	if (x->begun_ns > x->arrived_ns)
		route_account_add(account, ROUTE_WAIT, x->begun_ns - x->arrived_ns);
	if (x->ready_ns)
		route_account_add(account, ROUTE_DECODE, x->ready_ns - x->begun_ns);
	if (job->started_ns)
		route_account_add(account, ROUTE_QUEUE, job->started_ns - x->ready_ns);
	if (job->finished_ns)
		route_account_add(account, ROUTE_COMPUTE, job->finished_ns - job->started_ns);
	if (!succeeded(x, response)) {
		count_failure(x);
		return;
	}
	if (job->n == 0) // nothing to compute
		x->job.started_ns = x->job.finished_ns = x->ready_ns;
	x->kind->answer(x, response);
	if (response->status == 200)
		count_success(x);
	else
		count_failure(x);
}

// Reads the body and allocates the scores. Returns 0, or a status or the need for a greater effort, as kind->read does.
static int read_body(struct inference *x, enum effort effort)
{
	int status = x->kind->read(x, effort, &x->job.error);
	x->ready_ns = clock_now_ns();
	x->job.model = x->model->engine_model;
	x->job.passes = &x->model->statistics->passes;
	if (status == 0 && x->job.n > 0) {
		x->job.scores = x->job.n == 1 ? x->one : malloc((size_t)x->job.n * LENET5_DIGITS * sizeof *x->job.scores);
		if (!x->job.scores)
			status = err_status(&x->job.error, 500, "no memory for the answer; try again later");
	}
	return status;
}

static void set_error(struct inference *x, int status, enum route_rejection rejection)
{
	x->status = status;
	x->rejection = rejection;
}

// Sets the result of a job that decoders did not get to.
static void set_dropped(struct inference *x, enum decoders_result result)
{
	static const enum job_result results[] = {
		[DECODERS_LATE] = JOB_LATE, [DECODERS_GONE] = JOB_GONE, [DECODERS_STOPPED] = JOB_STOPPED
	};
	if (result == DECODERS_FULL)
		set_error(x,
			  err_status(&x->job.error, 503,
				     "too many large pictures and long bodies are waiting; try again in a second"),
			  ROUTE_DECODE_QUEUE_FULL);
	else
		x->job.result = results[result];
}

// Reads the request on a decoder. False: there is nothing to compute.
static bool read_costly(struct inference *x, struct decoders_thread *thread)
{
	enum decoders_result result = decoders_reserve(thread, x->kind->memory(x));
	x->begun_ns = clock_now_ns();
	if (result != DECODERS_OK) {
		set_dropped(x, result);
		return false;
	}
	int status = read_body(x, EFFORT_WHOLE);
	if (status && x->job.gone && atomic_load(x->job.gone))
		x->job.result = JOB_GONE;
	else if (status)
		set_error(x, status, status == 503 ? ROUTE_LATE : ROUTE_NOT_REJECTED);
	return status == 0 && x->job.n > 0;
}

// Without memory for the response, finish() makes it.
static void compute_costly(struct inference *x)
{
	service_compute(x->service, &(struct job *){ &x->job }, 1);
	x->made = calloc(1, sizeof *x->made);
	if (x->made)
		respond(x, x->made);
}

static void run_costly(struct decoders_task *task, enum decoders_result result, struct decoders_thread *thread)
{
	struct inference *x = (struct inference *)((char *)task - offsetof(struct inference, task));
	x->begun_ns = clock_now_ns();
	if (result != DECODERS_OK)
		set_dropped(x, result);
	else if (read_costly(x, thread)) {
		if (service_computes_here(x->service))
			compute_costly(x);
		else if (service_submit(x->service, &x->job) == JOB_OK)
			return; // the batcher calls done()
	}
	x->job.done(x->job.done_arg);
}

static void submit_costly(struct route_call *call, void (*done)(void *), void *arg)
{
	struct inference *x = inference_of(call);
	x->job.done = done;
	x->job.done_arg = arg;
	x->task.run = run_costly;
	x->task.deadline_ns = x->job.deadline_us * 1000;
	x->task.gone = x->job.gone;
	decoders_submit(service_decoders(x->service), &x->task);
}

static const struct route_worker here = { .compute = compute }, batcher = { .submit = submit },
				 decoder = { .submit = submit_costly };

static enum effort effort_of(const struct service *service)
{
	if (!service_decoders(service))
		return EFFORT_WHOLE;
	return overran_until_ms && clock_coarse_ms() < overran_until_ms ? EFFORT_TINY : EFFORT_SMALL;
}

// Reads a request's body, or leaves that to a decoder. False: the response is filled.
static bool read_or_leave(struct inference *x, struct route_response *response)
{
	int status = read_body(x, effort_of(x->service));
	x->call.worker = service_computes_here(x->service) ? &here : &batcher;
	if (status == EFFORT_COSTLY || status == EFFORT_OVERRAN) {
		if (status == EFFORT_OVERRAN)
			overran_until_ms = clock_coarse_ms() + WARY_MS;
		x->ready_ns = 0;
		x->call.worker = &decoder;
		x->call.keeps_request = true;
		return true;
	}
	if (status)
		set_error(x, status, status == 503 ? ROUTE_LATE : ROUTE_NOT_REJECTED);
	if (status == 0 && x->job.n > 0)
		return true;
	respond(x, response);
	return false;
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
	if (x->made)
		free(x->made->owned);
	free(x->made);
	free(x);
}

static bool has_body(const struct route_request *request, struct route_response *response)
{
	if (request->n_body || route_header(request, "Content-Length") || route_header(request, "Transfer-Encoding"))
		return true;
	route_answer_error(response, 411, "the request has no Content-Length and no body; POST a picture");
	return false;
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
	x->kind = kind;
	x->service = context->service;
	x->limits = context->limits;
	x->deadline_ms = deadline_ms;
	x->arrived_ns = x->begun_ns = arrived_ns;
	x->job.deadline_us = arrived_ns / 1000 + (int64_t)deadline_ms * 1000;
	x->job.gone = request->gone;
	x->task.client = request->client;
	x->body = request->body;
	x->n_body = request->n_body;
	if (kind->begin(x, context, request, response) && read_or_leave(x, response))
		return &x->call;
	inference_discard(&x->call);
	return NULL;
}

void inference_finish(struct route_call *call, struct route_response *response)
{
	struct inference *x = inference_of(call);
	if (!x->made) {
		respond(x, response);
		return;
	}
	*response = *x->made;
	x->made->owned = NULL;
}
