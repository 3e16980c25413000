// One mutex and one condition variable for what the tests set and the batcher's thread reads.
#include "tests/unit/fake_engine.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool held, waiting, failing; // lock
static float constant; // lock

static void set(bool *flag, bool value)
{
	pthread_mutex_lock(&lock);
	*flag = value;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void fake_engine_hold(void)
{
	set(&held, true);
}

void fake_engine_release(void)
{
	set(&held, false);
}

void fake_engine_await(void)
{
	pthread_mutex_lock(&lock);
	while (!waiting)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void fake_engine_lose(struct fake_engine *fake)
{
	__atomic_store_n(&fake->engine.lost, true, __ATOMIC_RELEASE);
}

void fake_engine_fail(bool fail)
{
	set(&failing, fail);
}

void fake_engine_score(float score)
{
	pthread_mutex_lock(&lock);
	constant = score;
	pthread_mutex_unlock(&lock);
}

static int refuse_lost(struct err *e)
{
	return err_set(e, "the fake is lost");
}

static int forward(struct engine_context *context, const struct engine_model *model, const uint8_t *pixels, const float *ink, int n,
		   float *scores, struct err *e)
{
	struct fake_engine *fake = (struct fake_engine *)context->engine;
	(void)model;
	if (pixels) {
		__atomic_fetch_add(&fake->n_pixel_calls, 1, __ATOMIC_RELAXED);
		engine_ink_from_pixels(pixels, (size_t)n * LENET5_PIXELS, context->ink);
		ink = context->ink;
	}
	pthread_mutex_lock(&lock);
	if (fake->n_calls < FAKE_MAX_CALLS)
		fake->batches[fake->n_calls] = n;
	fake->n_calls++;
	waiting = true;
	pthread_cond_broadcast(&changed);
	while (held)
		pthread_cond_wait(&changed, &lock);
	waiting = false;
	bool fail = failing;
	if (fake->n_calls == fake->lost_at)
		fake_engine_lose(fake);
	bool lost = engine_lost(context->engine);
	float score = constant;
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < n; i++)
		for (int d = 0; d < LENET5_DIGITS; d++)
			scores[i * LENET5_DIGITS + d] = lost         ? NAN
							: score != 0 ? score
								     : ink[i * LENET5_PIXELS + d] * 255 + fake->shift;
	if (lost)
		return refuse_lost(e);
	return fail ? err_set(e, "the fake has failed") : 0;
}

static int trace(struct engine_context *context, const struct engine_model *model, const float *ink, struct engine_trace *out,
		 struct err *e)
{
	return forward(context, model, NULL, ink, 1, out->output, e);
}

static int context_open(struct engine *engine, int max_batch, int n_threads, struct engine_context **context, struct err *e)
{
	(void)n_threads;
	if (engine_lost(engine))
		return refuse_lost(e);
	struct engine_context *c = malloc(sizeof *c);
	float *ink = calloc((size_t)max_batch * LENET5_PIXELS, sizeof *ink);
	uint8_t *pixels = calloc((size_t)max_batch, LENET5_PIXELS);
	if (!c || !ink || !pixels)
		abort();
	*c = (struct engine_context){ engine, max_batch, ink, pixels };
	__atomic_fetch_add(&((struct fake_engine *)engine)->n_contexts, 1, __ATOMIC_RELAXED);
	*context = c;
	return 0;
}

static void context_close(struct engine_context *context)
{
	__atomic_fetch_sub(&((struct fake_engine *)context->engine)->n_contexts, 1, __ATOMIC_RELAXED);
	free(context->ink);
	free(context->pixels);
	free(context);
}

static void model_free(struct engine_model *model)
{
	((struct fake_engine *)model->engine)->n_models--;
	free(model);
}

static int model_new(struct engine *engine, const struct engine_network *network, struct engine_model **model, struct err *e)
{
	if (engine_lost(engine))
		return refuse_lost(e);
	struct engine_model *m = calloc(1, sizeof *m);
	if (!m)
		abort();
	*m = (struct engine_model){ engine, 1, network->net };
	((struct fake_engine *)engine)->n_models++;
	*model = m;
	return 0;
}

static void fake_close(struct engine *engine)
{
	((struct fake_engine *)engine)->closed = true;
}

static const struct engine_ops ops = {
	.close = fake_close,
	.model_new = model_new,
	.model_free = model_free,
	.context_open = context_open,
	.context_close = context_close,
	.forward = forward,
	.trace = trace,
};

void fake_engine_init(struct fake_engine *fake)
{
	*fake = (struct fake_engine){ .engine = { .ops = &ops, .name = "fake" } };
	waiting = held = failing = false;
	constant = 0;
}

void fake_engine_model(struct engine *engine, struct engine_model **model)
{
	const struct engine_network network = { .net = lenet5_at(0) };
	struct err e;
	if (engine_model_new(engine, &network, model, &e))
		abort();
}
