// The CPU engine: chooses the instruction set, packs models, cuts batches into groups of pictures and spreads the groups
// over a pool of threads. What a group computes is in isa_forward.c, or isa_1998_forward.c.
#include "kernels/cpu/cpu.h"

#include "kernels/cpu/cpu_engine.h"
#include "kernels/cpu/cpu_pack.h"
#include "kernels/cpu/pool.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model {
	struct engine_model base;
	float mean, scale;
	struct isa_params params;
	struct isa_winograd winograd;
};

struct context {
	struct engine_context base;
	struct pool *pool;
};

// One call of forward, for the pool.
struct forward_job {
	const struct isa_functions *functions;
	struct isa_network network;
	const float *ink;
	float *scores;
	int n;
};

void *cpu_alloc(size_t bytes, struct err *e)
{
	size_t rounded = (bytes + 63) / 64 * 64;
	void *p = aligned_alloc(64, rounded);
	if (!p) {
		err_set(e, "no memory (%zu bytes)", bytes);
		return NULL;
	}
	return memset(p, 0, rounded);
}

static int model_new(struct engine *engine, const struct engine_network *network, struct engine_model **out, struct err *e)
{
	struct model *m = cpu_alloc(sizeof *m, e);
	if (!m)
		return -1;
	m->base = (struct engine_model){ engine, 1, network->net };
	m->mean = network->mean;
	m->scale = 1 / network->std;
	cpu_pack(network->net, network->params, &m->params);
	cpu_winograd(&m->params, &m->winograd);
	*out = &m->base;
	return 0;
}

static void model_free(struct engine_model *model)
{
	free(model);
}

static struct isa_network network_of(const struct engine_model *model)
{
	const struct model *m = (const struct model *)model;
	return (struct isa_network){ m->base.net, m->mean, m->scale, &m->params, &m->winograd };
}

static int context_open(struct engine *engine, int max_batch, int n_threads, struct engine_context **out, struct err *e)
{
	struct context *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(e, "no memory for a context");
	float *ink = cpu_alloc((size_t)max_batch * LENET5_PIXELS * sizeof *ink, e);
	c->base = (struct engine_context){ .engine = engine, .max_batch = max_batch, .ink = ink };
	if (!ink || pool_new(n_threads, &c->pool, e)) {
		free(ink);
		free(c);
		return -1;
	}
	*out = &c->base;
	return 0;
}

static void context_close(struct engine_context *context)
{
	struct context *c = (struct context *)context;
	pool_free(c->pool);
	free(c->base.ink);
	free(c);
}

static void forward_group(void *context, int group)
{
	const struct forward_job *job = context;
	int first = group * GROUP, left = job->n - first;
	job->functions->forward(&job->network, job->ink + (size_t)first * LENET5_PIXELS, left < GROUP ? left : GROUP,
				job->scores + first * LENET5_DIGITS);
}

static int forward(struct engine_context *context, const struct engine_model *model, const uint8_t *pixels, const float *ink, int n,
		   float *scores, struct err *e)
{
	(void)pixels, (void)e; // the context has no memory for pixels, so they come as ink
	struct forward_job job = { isa_for(cpu_isa(context->engine), model->net), network_of(model), ink, scores, n };
	pool_run(((struct context *)context)->pool, (n + GROUP - 1) / GROUP, forward_group, &job);
	return 0;
}

static int trace(struct engine_context *context, const struct engine_model *model, const float *ink, struct engine_trace *out,
		 struct err *e)
{
	(void)e;
	struct isa_network network = network_of(model);
	isa_for(cpu_isa(context->engine), model->net)->trace(&network, ink, out);
	return 0;
}

static double peak(struct engine *engine, int n_threads)
{
	return cpu_isa(engine)->peak(0.2) * n_threads;
}

static void engine_free(struct engine *engine)
{
	free(engine);
}

#define ISA_TABLE(set, title)                                                                                                      \
	{                                                                                                                          \
#set, title,                                                                                                       \
			{ isa_forward_##set, isa_trace_##set, isa_learn_##set, isa_update_##set, NULL },                           \
			  { isa_1998_forward_##set, isa_1998_trace_##set, isa_1998_learn_##set, isa_1998_update_##set,             \
			    isa_1998_curve_##set },                                                                                \
			    isa_peak_##set                                                                                         \
	}

static const struct isa isas[] = {
// the best first
#ifdef __x86_64__
	ISA_TABLE(avx512, "AVX-512"),
	ISA_TABLE(avx2, "AVX2"),
#endif
	ISA_TABLE(portable, "portable"),
};
enum { N_ISAS = sizeof isas / sizeof isas[0] };

static bool supported(const struct isa *isa)
{
#ifdef __x86_64__
	if (isa->peak == isa_peak_avx512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
		       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
	if (isa->peak == isa_peak_avx2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
	return isa != NULL;
}

static const struct isa *choose(const char *name, struct err *e)
{
	char names[64] = "";
	for (int i = 0; i < N_ISAS; i++) {
		size_t n = strlen(names);
		snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", isas[i].name);
		if (name && strcmp(name, isas[i].name) != 0)
			continue;
		if (supported(&isas[i]))
			return &isas[i];
		if (name) {
			err_set(e, "this processor has no %s; without --isa lenet uses the best set that it has", isas[i].title);
			return NULL;
		}
	}
	err_set(e, "unknown instruction set \"%.20s\"; there are: %s", name, names);
	return NULL;
}

int cpu_engine_open(const char *isa_name, struct engine **engine, struct err *e)
{
	static const struct engine_ops ops = {
		.close = engine_free,
		.model_new = model_new,
		.model_free = model_free,
		.context_open = context_open,
		.context_close = context_close,
		.forward = forward,
		.trace = trace,
		.trainer_open = cpu_trainer_open,
		.trainer_close = cpu_trainer_close,
		.trainer_data = cpu_trainer_data,
		.trainer_steps = cpu_trainer_steps,
		.trainer_curvature = cpu_trainer_curvature,
		.trainer_read = cpu_trainer_read,
		.peak = peak,
	};
	const struct isa *isa = choose(isa_name, e);
	if (!isa)
		return -1;
	struct cpu_engine *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(e, "no memory for an engine");
	c->base.ops = &ops;
	c->isa = *isa;
	c->base.quick = true;
	c->base.kernels = isa->name;
	snprintf(c->base.name, sizeof c->base.name, "cpu (%s)", isa->title);
	*engine = &c->base;
	return 0;
}
