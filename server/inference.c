#include "server/inference.h"

#include "server/clock.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

bool inference_has_body(const struct route_request *request, struct route_response *response)
{
	if (request->n_body || route_header(request, "Content-Length") || route_header(request, "Transfer-Encoding"))
		return true;
	route_answer_error(response, 411, "the request has no Content-Length and no body; POST a picture");
	return false;
}

struct model *inference_model(const struct api *api, const char *name, struct route_response *response)
{
	struct model *model = models_get(api->models, name);
	if (!model)
		route_answer_error(response, 404, "no model is called \"%.60s\"; POST /v2/repository/index lists them", name);
	return model;
}

void inference_account(const struct model *model, int n, int64_t came_ns, struct route_response *response)
{
	memcpy(response->account.model, model->name, sizeof model->name);
	response->account.n_pictures = n;
	route_account_add(&response->account, ROUTE_DECODE, clock_now_ns() - came_ns);
}

void inference_init(struct inference *x, const struct api *api, struct model *model, const struct route_request *request,
		    int64_t came_ns, int deadline_ms)
{
	*x = (struct inference){
		.api = api, .model = model, .deadline_ms = deadline_ms, .came_ns = came_ns, .ready_ns = clock_now_ns()
	};
	x->job.model = model->engine_model;
	x->job.work = &model->statistics->work;
	x->job.deadline_us = came_ns / 1000 + (int64_t)deadline_ms * 1000;
	x->job.gone = request->gone;
}

void inference_fini(struct inference *x)
{
	model_unref(x->model);
}

void inference_compute(void *const *calls, int n)
{
	struct batcher_job *jobs[ROUTE_MAX_CALLS];
	assert(n > 0 && n <= ROUTE_MAX_CALLS);
	for (int i = 0; i < n; i++)
		jobs[i] = &((struct inference *)calls[i])->job;
	direct_compute(((struct inference *)calls[0])->api->direct, jobs, n);
}

static void job_done(struct batcher_job *job)
{
	struct inference *x = (struct inference *)((char *)job - offsetof(struct inference, job));
	x->done(x->done_arg);
}

void inference_submit(void *call, void (*done)(void *), void *arg)
{
	struct inference *x = call;
	x->done = done;
	x->done_arg = arg;
	x->job.done = job_done;
	enum batcher_result result = batcher_submit(x->api->batcher, &x->job);
	if (result != BATCHER_OK) { // the job is still ours
		x->job.result = result;
		done(arg);
	}
}

static bool all_finite(const float *scores, int n)
{
	for (int i = 0; i < n; i++)
		if (!isfinite(scores[i]))
			return false;
	return true;
}

bool inference_succeeded(struct inference *x, struct route_response *response)
{
	const struct batcher_job *job = &x->job;
	struct metrics *metrics = x->api->metrics;
	if (job->started_ns)
		route_account_add(&response->account, ROUTE_QUEUE, job->started_ns - x->ready_ns);
	if (job->finished_ns)
		route_account_add(&response->account, ROUTE_COMPUTE, job->finished_ns - job->started_ns);
	switch (job->result) {
	case BATCHER_OK:
		if (all_finite(job->scores, job->n * LENET5_DIGITS))
			return true;
		route_answer_error(response, 500, "the model's answer is not a number; its weights are no good");
		break;
	case BATCHER_FULL:
		route_answer_error(response, 503, "too many pictures are waiting; try again in a second");
		metrics_reject(metrics, METRICS_QUEUE_FULL);
		break;
	case BATCHER_LATE:
		route_answer_error(response, 503, "no answer within %d ms: too much to do; try again in a second", x->deadline_ms);
		metrics_reject(metrics, METRICS_LATE);
		break;
	case BATCHER_GONE:
		route_answer_error(response, ROUTE_CLIENT_GONE, "the client has left");
		break;
	case BATCHER_STOPPED:
		route_answer_error(response, 503, "the daemon is going down; try again");
		metrics_reject(metrics, METRICS_STOPPING);
		break;
	case BATCHER_FAILED:
		route_answer_error(response, 500, "the engine failed: %s", job->error.msg);
		break;
	}
	inference_count_failure(x->model, x->came_ns);
	return false;
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

void inference_count_success(const struct inference *x)
{
	struct models_statistics *s = x->model->statistics;
	int64_t now_ns = clock_now_ns();
	add(&s->n_success, 1);
	add(&s->success_ns, now_ns - x->came_ns);
	add(&s->input_ns, x->ready_ns - x->came_ns);
	add(&s->queue_ns, x->job.started_ns - x->ready_ns);
	add(&s->infer_ns, x->job.finished_ns - x->job.started_ns);
	add(&s->output_ns, now_ns - x->job.finished_ns);
	stamp(s);
}

void inference_count_failure(const struct model *model, int64_t came_ns)
{
	struct models_statistics *s = model->statistics;
	add(&s->n_fail, 1);
	add(&s->fail_ns, clock_now_ns() - came_ns);
	stamp(s);
}
