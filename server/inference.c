// The clock has whole microseconds. A picture's share of them is short, but what the floor takes from one sum it gives to the next,
// so that sums and their means are right.
#include "server/inference.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <time.h>

struct model *inference_model(const struct api *api, const char *name, struct route_response *response)
{
	struct model *model = models_get(api->models, name);
	if (!model)
		route_answer_error(response, 404, "no model is called \"%.60s\"; POST /v2/repository/index lists them", name);
	return model;
}

void inference_init(struct inference *x, const struct api *api, struct model *model, int n, const float *ink, const uint8_t *pixels,
		    float *scores, int64_t started_us)
{
	int64_t now = batcher_now_us();
	*x = (struct inference){ .api = api, .model = model, .started_us = started_us, .submitted_us = now };
	x->job.model = model->engine_model;
	x->job.work = &model->statistics->work;
	x->job.ink = ink;
	x->job.pixels = pixels;
	x->job.scores = scores;
	x->job.n = n;
	x->job.deadline_us = now + (int64_t)api->limits->deadline_ms * 1000;
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
	int64_t now = batcher_now_us();
	for (int i = 0; i < n; i++)
		((struct inference *)calls[i])->computed_us = now;
}

static void job_done(struct batcher_job *job)
{
	struct inference *x = (struct inference *)((char *)job - offsetof(struct inference, job));
	x->computed_us = batcher_now_us();
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
	switch (x->job.result) {
	case BATCHER_OK:
		if (all_finite(x->job.scores, x->job.n * LENET5_DIGITS))
			return true;
		route_answer_error(response, 500, "the model's answer is not a number; its weights are no good");
		break;
	case BATCHER_FULL:
		route_answer_error(response, 503, "too many pictures are waiting; try again in a second");
		break;
	case BATCHER_LATE:
		route_answer_error(response, 503, "no answer within %d ms: too much to do; try again in a second",
				   x->api->limits->deadline_ms);
		break;
	case BATCHER_STOPPED:
		route_answer_error(response, 503, "the daemon is going down; try again");
		break;
	case BATCHER_FAILED:
		route_answer_error(response, 500, "the engine failed: %s", x->job.error.msg);
		break;
	}
	inference_count_failure(x->model, x->started_us);
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
	int64_t now = batcher_now_us();
	add(&s->n_success, 1);
	add(&s->success_us, now - x->started_us);
	add(&s->input_us, x->submitted_us - x->started_us);
	add(&s->queue_us, x->job.begun_us - x->submitted_us);
	add(&s->infer_us, x->computed_us - x->job.begun_us);
	add(&s->output_us, now - x->computed_us);
	stamp(s);
}

void inference_count_failure(const struct model *model, int64_t started_us)
{
	struct models_statistics *s = model->statistics;
	add(&s->n_fail, 1);
	add(&s->fail_us, batcher_now_us() - started_us);
	stamp(s);
}
