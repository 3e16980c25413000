#include "tests/unit/fake_trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fake_training fake_training;

struct trainer {
	struct engine_trainer base;
	const struct lenet5 *net;
	float *params, *momentum;
	float momentum_rate, mu;
	float scale[8]; // of the rates of the parameters that move
	const uint8_t *pixels, *labels;
};

static int trainer_open(struct engine *engine, const struct engine_training *t, struct engine_trainer **trainer, struct err *e)
{
	(void)e;
	struct trainer *f = calloc(1, sizeof *f);
	f->base = (struct engine_trainer){ .engine = engine, .batch = t->batch };
	f->net = t->start.net;
	f->params = malloc(f->net->n_params * sizeof(float));
	f->momentum = calloc(f->net->n_params, sizeof(float));
	memcpy(f->params, t->start.params, f->net->n_params * sizeof(float));
	if (t->momentum)
		memcpy(f->momentum, t->momentum, f->net->n_params * sizeof(float));
	f->momentum_rate = t->momentum_rate;
	f->mu = t->mu;
	for (int k = 0; k < 8; k++)
		f->scale[k] = t->curvature ? 1 / (f->mu + t->curvature[k]) : 1;
	*trainer = &f->base;
	return 0;
}

static void trainer_close(struct engine_trainer *trainer)
{
	struct trainer *f = (struct trainer *)trainer;
	free(f->params);
	free(f->momentum);
	free(f);
}

static int trainer_data(struct engine_trainer *trainer, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *e)
{
	(void)n, (void)e;
	struct trainer *f = (struct trainer *)trainer;
	f->pixels = pixels;
	f->labels = labels;
	return 0;
}

static int trainer_steps(struct engine_trainer *trainer, const uint32_t *order, uint32_t n, const float *rates, float *losses,
			 struct err *e)
{
	struct trainer *f = (struct trainer *)trainer;
	if (++fake_training.n_calls == fake_training.fail_at)
		return err_set(e, "the engine broke");
	for (uint32_t at = 0, step = 0; at < n; at += (uint32_t)f->base.batch, step++) {
		float sum = 0;
		for (uint32_t i = at; i < n && i < at + (uint32_t)f->base.batch; i++)
			for (uint32_t k = 0; k < LENET5_PIXELS; k += 9)
				sum += (float)f->pixels[(size_t)order[i] * LENET5_PIXELS + k] *
				       (float)(k % 7 + f->labels[order[i]] + i - at);
		losses[step] = ++fake_training.n_steps == fake_training.nan_at ? NAN : sum * 1e-6f + f->params[0];
		for (int k = 0; k < 8; k++) {
			f->momentum[k] = f->momentum_rate * f->momentum[k] + sum * 1e-7f * (float)(k + 1);
			f->params[k] -= rates[step] * f->scale[k] * f->momentum[k];
		}
	}
	return 0;
}

// Of the pictures, their order and the parameters, so that an estimate at another time is another.
static int trainer_curvature(struct engine_trainer *trainer, const uint32_t *order, uint32_t n, float *curvature, struct err *e)
{
	(void)e;
	struct trainer *f = (struct trainer *)trainer;
	memset(curvature, 0, f->net->n_params * sizeof *curvature);
	for (int k = 0; k < 8; k++) {
		for (uint32_t i = 0; i < n; i++)
			curvature[k] += (float)(f->pixels[(size_t)order[i] * LENET5_PIXELS + (size_t)k] + i % 5) * 1e-3f;
		curvature[k] += fabsf(f->params[k]);
		f->scale[k] = 1 / (f->mu + curvature[k]);
	}
	return 0;
}

static int trainer_read(struct engine_trainer *trainer, float *params, float *momentum, struct err *e)
{
	(void)e;
	struct trainer *f = (struct trainer *)trainer;
	fake_training.n_reads++;
	memcpy(params, f->params, f->net->n_params * sizeof(float));
	memcpy(momentum, f->momentum, f->net->n_params * sizeof(float));
	return 0;
}

// Reads its answer from the pictures and one parameter.
struct model {
	struct engine_model base;
	float parameter;
};

static int model_new(struct engine *engine, const struct engine_network *network, struct engine_model **model, struct err *e)
{
	(void)e;
	struct model *f = calloc(1, sizeof *f);
	*f = (struct model){ { engine, 1, network->net }, network->params[0] };
	*model = &f->base;
	return 0;
}

static void model_free(struct engine_model *model)
{
	free(model);
}

static int context_open(struct engine *engine, int max_batch, int n_threads, struct engine_context **context, struct err *e)
{
	(void)n_threads, (void)e;
	*context = calloc(1, sizeof **context);
	float *ink = calloc((size_t)max_batch * LENET5_PIXELS, sizeof *ink);
	fake_training.n_contexts++;
	**context = (struct engine_context){ .engine = engine, .max_batch = max_batch, .ink = ink };
	return 0;
}

static void context_close(struct engine_context *context)
{
	free(context->ink);
	free(context);
}

static int forward(struct engine_context *context, const struct engine_model *model, const uint8_t *pixels, const float *ink, int n,
		   float *scores, struct err *e)
{
	(void)context, (void)pixels, (void)e; // the context takes ink only
	for (int i = 0; i < n * LENET5_DIGITS; i++)
		scores[i] =
			ink[i / LENET5_DIGITS * LENET5_PIXELS + 400 + i % LENET5_DIGITS] + ((const struct model *)model)->parameter;
	return 0;
}

static const struct engine_ops ops = {
	.model_new = model_new,
	.model_free = model_free,
	.context_open = context_open,
	.context_close = context_close,
	.forward = forward,
	.trainer_open = trainer_open,
	.trainer_close = trainer_close,
	.trainer_data = trainer_data,
	.trainer_steps = trainer_steps,
	.trainer_curvature = trainer_curvature,
	.trainer_read = trainer_read,
};
struct engine fake_trainer = { .ops = &ops, .name = "fake" };
