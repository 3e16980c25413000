// The first call that fails on a lost engine sets given_up and calls watch.lost. Calls of other threads that fail at the same time
// find the flag set and continue in the second engine without calling it again. The flag stays set: models and contexts made later
// exist in the second engine only.
#include "kernels/standby.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct pair {
	struct engine base;
	struct engine *first, *second;
	struct standby_watch watch;
	atomic_bool given_up;
};

struct model {
	struct engine_model base;
	struct engine_model *first, *second; // one reference each; first is NULL if made after the loss
};

struct context {
	struct engine_context base; // its ink and pixels are first's, or second's where first is NULL
	struct engine_context *first, *second; // the same
};

static struct pair *pair_of(struct engine *engine)
{
	return (struct pair *)engine;
}

// Called after the first engine failed with `why`. Returns true if it is lost; else the failure is the caller's answer.
static bool give_up(struct pair *p, const struct err *why)
{
	if (!engine_lost(p->first))
		return false;
	if (!atomic_exchange(&p->given_up, true))
		p->watch.lost(p->watch.arg, p->first, why);
	return true;
}

static void model_free(struct engine_model *model)
{
	struct model *m = (struct model *)model;
	engine_model_unref(m->first);
	engine_model_unref(m->second);
	free(m);
}

static int model_new(struct engine *engine, const struct engine_network *network, struct engine_model **out, struct err *e)
{
	struct pair *p = pair_of(engine);
	struct model *m = calloc(1, sizeof *m);
	if (!m)
		return err_set(e, "no memory for a model");
	m->base = (struct engine_model){ engine, 1, network->net };
	if ((!p->given_up && engine_model_new(p->first, network, &m->first, e) && !give_up(p, e)) ||
	    engine_model_new(p->second, network, &m->second, e)) {
		model_free(&m->base);
		return -1;
	}
	*out = &m->base;
	return 0;
}

static void context_close(struct engine_context *context)
{
	struct context *c = (struct context *)context;
	engine_context_close(c->first);
	engine_context_close(c->second);
	free(c);
}

static int context_open(struct engine *engine, int max_batch, int n_threads, struct engine_context **out, struct err *e)
{
	struct pair *p = pair_of(engine);
	struct context *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(e, "no memory for a context");
	if ((!p->given_up && engine_context_open(p->first, max_batch, n_threads, &c->first, e) && !give_up(p, e)) ||
	    engine_context_open(p->second, max_batch, n_threads, &c->second, e)) {
		context_close(&c->base);
		return -1;
	}
	struct engine_context *likes = c->first ? c->first : c->second;
	c->base = (struct engine_context){ engine, max_batch, engine_context_ink(likes), engine_context_pixels(likes) };
	*out = &c->base;
	return 0;
}

static int forward_in(struct engine_context *context, const struct engine_model *model, const uint8_t *pixels, const float *ink,
		      int n, float *scores, struct err *e)
{
	return pixels ? engine_forward_pixels(context, model, pixels, n, scores, e)
		      : engine_forward(context, model, ink, n, scores, e);
}

static int forward(struct engine_context *context, const struct engine_model *model, const uint8_t *pixels, const float *ink, int n,
		   float *scores, struct err *e)
{
	struct pair *p = pair_of(context->engine);
	const struct context *c = (const struct context *)context;
	const struct model *m = (const struct model *)model;
	if (!p->given_up) {
		if (forward_in(c->first, m->first, pixels, ink, n, scores, e) == 0)
			return 0;
		if (!give_up(p, e))
			return -1;
	}
	return forward_in(c->second, m->second, pixels, ink, n, scores, e);
}

static int trace(struct engine_context *context, const struct engine_model *model, const float *ink, struct engine_trace *out,
		 struct err *e)
{
	struct pair *p = pair_of(context->engine);
	const struct context *c = (const struct context *)context;
	const struct model *m = (const struct model *)model;
	if (!p->given_up) {
		if (engine_trace(c->first, m->first, ink, out, e) == 0)
			return 0;
		if (!give_up(p, e))
			return -1;
	}
	return engine_trace(c->second, m->second, ink, out, e);
}

static void pair_close(struct engine *engine)
{
	struct pair *p = pair_of(engine);
	engine_close(p->first);
	engine_close(p->second);
	free(p);
}

int standby_open(struct engine *first, struct engine *second, const struct standby_watch *watch, struct engine **engine,
		 struct err *e)
{
	static const struct engine_ops ops = {
		.close = pair_close,
		.model_new = model_new,
		.model_free = model_free,
		.context_open = context_open,
		.context_close = context_close,
		.forward = forward,
		.trace = trace,
	};
	struct pair *p = calloc(1, sizeof *p);
	if (!p)
		return err_set(e, "no memory for a pair of engines");
	p->base.ops = &ops;
	snprintf(p->base.name, sizeof p->base.name, "%s", first->name);
	p->base.kernels = first->kernels;
	p->first = first;
	p->second = second;
	p->watch = *watch;
	*engine = &p->base;
	return 0;
}
