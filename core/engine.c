// The part of the seam that all engines share: checks of arguments, which are the caller's bugs, and the reference count.
#include "core/engine.h"

#include <assert.h>
#include <stddef.h>

void engine_close(struct engine *engine)
{
	if (engine)
		engine->ops->close(engine);
}

bool engine_lost(const struct engine *engine)
{
	return __atomic_load_n(&engine->lost, __ATOMIC_ACQUIRE);
}

int engine_model_new(struct engine *engine, const struct engine_network *network, struct engine_model **model, struct err *e)
{
	return engine->ops->model_new(engine, network, model, e);
}

void engine_model_unref(struct engine_model *model)
{
	if (model && __atomic_sub_fetch(&model->references, 1, __ATOMIC_ACQ_REL) == 0)
		model->engine->ops->model_free(model);
}

int engine_context_open(struct engine *engine, int max_batch, int n_threads, struct engine_context **context, struct err *e)
{
	assert(max_batch > 0 && n_threads > 0);
	return engine->ops->context_open(engine, max_batch, n_threads, context, e);
}

void engine_context_close(struct engine_context *context)
{
	if (context)
		context->engine->ops->context_close(context);
}

float *engine_context_ink(struct engine_context *context)
{
	return context->ink;
}

uint8_t *engine_context_pixels(struct engine_context *context)
{
	return context->pixels;
}

void engine_ink_from_pixels(const uint8_t *pixels, size_t n, float *ink)
{
	for (size_t i = 0; i < n; i++)
		ink[i] = (float)pixels[i] / 255.0f;
}

int engine_forward(struct engine_context *context, const struct engine_model *model, const float *ink, int n, float *scores,
		   struct err *e)
{
	assert(context->engine == model->engine && n > 0 && n <= context->max_batch);
	return context->engine->ops->forward(context, model, NULL, ink, n, scores, e);
}

int engine_forward_pixels(struct engine_context *context, const struct engine_model *model, const uint8_t *pixels, int n,
			  float *scores, struct err *e)
{
	assert(context->engine == model->engine && n > 0 && n <= context->max_batch);
	if (context->pixels)
		return context->engine->ops->forward(context, model, pixels, NULL, n, scores, e);
	engine_ink_from_pixels(pixels, (size_t)n * LENET5_PIXELS, context->ink);
	return context->engine->ops->forward(context, model, NULL, context->ink, n, scores, e);
}

int engine_trace(struct engine_context *context, const struct engine_model *model, const float *ink, struct engine_trace *trace,
		 struct err *e)
{
	assert(context->engine == model->engine);
	return context->engine->ops->trace(context, model, ink, trace, e);
}

static int no_curvature(const struct engine *engine, struct err *e)
{
	return err_set(e, "%s computes no curvature: train with the optimiser sdlm on the CPU (--device cpu)", engine->name);
}

int engine_trainer_open(struct engine *engine, const struct engine_training *training, struct engine_trainer **trainer,
			struct err *e)
{
	const struct lenet5 *net = training->start.net;
	bool penalties = net->output == LENET5_PENALTIES;
	assert(training->batch > 0 && training->n_threads > 0 && (!training->curvature || training->mu > 0));
	if (penalties == (training->loss == ENGINE_CROSS_ENTROPY))
		return err_set(e, "network %s is trained with %s", net->name,
			       penalties ? "the loss mse or map, for its scores are penalties"
					 : "cross-entropy, for its scores are logits");
	if (training->curvature && !engine->ops->trainer_curvature)
		return no_curvature(engine, e);
	if (engine->ops->trainer_open(engine, training, trainer, e))
		return -1;
	(*trainer)->loss = training->loss;
	return 0;
}

void engine_trainer_close(struct engine_trainer *trainer)
{
	if (trainer)
		trainer->engine->ops->trainer_close(trainer);
}

int engine_trainer_data(struct engine_trainer *trainer, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *e)
{
	int highest = trainer->loss == ENGINE_CROSS_ENTROPY ? LENET5_NO_DIGIT : LENET5_DIGITS - 1;
	for (uint32_t i = 0; i < n; i++)
		if (labels[i] > highest)
			return err_set(e, "label %u of picture %u: want 0 to %d", labels[i], i, highest);
	trainer->n_data = 0;
	if (trainer->engine->ops->trainer_data(trainer, pixels, labels, n, e))
		return -1;
	trainer->n_data = n;
	return 0;
}

static int check_order(const struct engine_trainer *trainer, const uint32_t *order, uint32_t n, struct err *e)
{
	for (uint32_t i = 0; i < n; i++)
		if (order[i] >= trainer->n_data)
			return err_set(e, "the order of training names picture %u; there are %u", order[i], trainer->n_data);
	return 0;
}

int engine_trainer_steps(struct engine_trainer *trainer, const uint32_t *order, uint32_t n, const float *rates, float *losses,
			 struct err *e)
{
	if (check_order(trainer, order, n, e))
		return -1;
	return n ? trainer->engine->ops->trainer_steps(trainer, order, n, rates, losses, e) : 0;
}

int engine_trainer_curvature(struct engine_trainer *trainer, const uint32_t *order, uint32_t n, float *curvature, struct err *e)
{
	assert(n > 0);
	if (!trainer->engine->ops->trainer_curvature)
		return no_curvature(trainer->engine, e);
	if (check_order(trainer, order, n, e))
		return -1;
	return trainer->engine->ops->trainer_curvature(trainer, order, n, curvature, e);
}

int engine_trainer_read(struct engine_trainer *trainer, float *params, float *momentum, struct err *e)
{
	return trainer->engine->ops->trainer_read(trainer, params, momentum, e);
}

double engine_peak(struct engine *engine, int n_threads)
{
	return engine->ops->peak(engine, n_threads);
}
