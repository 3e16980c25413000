// The engine's functions by cuDNN. A context has passes for 1, 2, 4, … pictures and for max_batch; a batch takes the
// smallest that holds it, and what is left over in that one is computed and not looked at. Each pass is one graph for the
// networks with max-pooling and one for the network as published, captured and launched once before the context is there;
// its kernels read pictures and write scores in page-locked memory of the host.
//
// All passes are planned for max_batch (cudnn_conv_plan), so that a picture should get the same bits in each. cuDNN promises
// no such thing; a context therefore tries it on its device before it is handed out.
//
// A graph has addresses in it, so a context computes from a copy of its own of the model's parameters, made anew when the
// model is another than the last time. Whether the pictures are pixels or ink is read from device memory, so that a graph is
// good for both.
#include "kernels/cudnn/cudnn_engine.h"

#include "core/rng.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cudnn/cudnn_pass.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model {
	struct engine_model base;
	uint64_t serial; // no other model of this process has it
	struct cudnn_model *model; // on the device
};

struct context {
	struct engine_context base;
	struct cudnn_place place;
	int n_passes;
	struct cudnn_pass passes[CUDNN_MAX_SHAPES]; // from large to small
	const struct cudnn_pass *pass; // being captured
	float *scores; // (max_batch, 10), page-locked
	uint64_t serial; // of the model in place.model; 0: none
	bool *are_pixels; // device memory: what the pictures are
	bool pixels; // what was last written there
};

static void model_free(struct engine_model *model)
{
	struct model *m = (struct model *)model;
	cuda_enter_to_free(model->engine);
	cudaFree(m->model);
	free(m);
}

static int model_new(struct engine *engine, const struct engine_network *network, struct engine_model **out, struct err *e)
{
	static atomic_uint_fast64_t last_serial;
	if (cudnn_computes(network->net, e))
		return -1;
	struct model *m = calloc(1, sizeof *m);
	if (!m)
		return err_set(e, "no memory for a model");
	m->base = (struct engine_model){ engine, 1, network->net };
	m->serial = atomic_fetch_add(&last_serial, 1) + 1;
	if (cuda_enter(engine, e) || cuda_alloc(engine, sizeof *m->model, (void **)&m->model, e) ||
	    cudnn_model_upload(engine, network, m->model, e)) {
		model_free(&m->base);
		return -1;
	}
	*out = &m->base;
	return 0;
}

// Ink to scores, as the pass's graphs do it.
static int put_forward(void *context, struct err *e)
{
	struct context *c = context;
	const struct cudnn_pass *pass = c->pass;
	struct cudnn_place *p = &c->place;
	const struct cudnn_input input = { .network = &p->model->network,
					   .are_pixels = c->are_pixels,
					   .pictures = c->base.ink,
					   .n = pass->n,
					   .x = p->maps[LENET5_INPUT] };
	if (CUDA(p->engine, cudnn_input_launch(&input, p->stream), e) || cudnn_pass_forward(p, pass, e) ||
	    cudnn_pass_scores(p, pass->n, c->scores, e))
		return -1;
	return 0;
}

// Of the pass's graph for the network in hand.
static int launch(struct context *c, const struct cudnn_pass *pass, struct err *e)
{
	struct engine *engine = c->base.engine;
	if (CUDA(engine, cudaGraphLaunch(pass->graphs[c->place.net->pooling], c->place.stream), e) ||
	    CUDA(engine, cudaStreamSynchronize(c->place.stream), e))
		return -1;
	return 0;
}

// For both kinds of network, which differ in their pooling.
static int capture(struct context *c, struct cudnn_pass *pass, struct err *e)
{
	c->pass = pass;
	for (int i = 0; lenet5_at(i); i++) {
		c->place.net = lenet5_at(i);
		if (!pass->graphs[c->place.net->pooling] &&
		    (cudnn_pass_capture(&c->place, pass, put_forward, c, e) || launch(c, pass, e)))
			return -1;
	}
	return 0;
}

// The largest power of two below n, or 0.
static int power_below(int n)
{
	int power = 1;
	while (2 * power < n)
		power *= 2;
	return n > 1 ? power : 0;
}

static int open_passes(struct context *c, struct err *e)
{
	int batches[CUDNN_MAX_SHAPES], n = 0;
	for (int batch = c->base.max_batch; batch; batch = power_below(batch))
		batches[n++] = batch;
	if (cudnn_passes_open(&c->place, batches, n, false, c->passes, e))
		return -1;
	c->n_passes = n;
	for (int i = 0; i < n; i++)
		if (capture(c, &c->passes[i], e))
			return -1;
	return 0;
}

// Parameters of net that are noise.
static int upload_noise(struct context *c, const struct lenet5 *net, struct err *e)
{
	struct rng rng;
	float *params = malloc(net->n_params * sizeof *params);
	if (!params)
		return err_set(e, "no memory for a model");
	rng_init(&rng, 1);
	lenet5_init(net, &rng, params);
	const struct engine_network noise = { net, net->mean, net->std, params };
	int failed = cudnn_model_upload(c->base.engine, &noise, c->place.model, e);
	free(params);
	return failed;
}

// Whether a picture has the bits that it has alone when it is the first, the middle and the last one of each pass, in the
// company of others.
static int check_bits(struct context *c, const struct lenet5 *net, struct err *e)
{
	const float *probe = c->base.ink;
	float alone[LENET5_DIGITS];
	c->place.net = net;
	if (upload_noise(c, net, e))
		return -1;
	for (int i = c->n_passes - 1; i >= 0; i--) {
		const struct cudnn_pass *pass = &c->passes[i];
		const int places[] = { 0, pass->n / 2, pass->n - 1 };
		for (int k = 1; k < 3; k++)
			memmove(c->base.ink + (size_t)places[k] * LENET5_PIXELS, probe, LENET5_PIXELS * sizeof *probe);
		if (launch(c, pass, e))
			return -1;
		if (pass->n == 1)
			memcpy(alone, c->scores, sizeof alone);
		for (int k = 0; k < 3; k++)
			if (memcmp(c->scores + (size_t)places[k] * LENET5_DIGITS, alone, sizeof alone) != 0)
				return err_set(e, "%s: a picture has other bits as number %d of %d than by itself",
					       c->base.engine->name, places[k] + 1, pass->n);
	}
	return 0;
}

static int check_passes(struct context *c, struct err *e)
{
	uint32_t noise = 1;
	for (size_t i = 0; i < (size_t)c->base.max_batch * LENET5_PIXELS; i++) {
		noise = noise * 1664525 + 1013904223;
		c->base.ink[i] = (float)(noise >> 24) / 255;
	}
	bool checked[2] = { false, false };
	for (int i = 0; lenet5_at(i); i++) {
		const struct lenet5 *net = lenet5_at(i);
		if (!checked[net->pooling] && check_bits(c, net, e))
			return -1;
		checked[net->pooling] = true;
	}
	return 0;
}

static void context_close(struct engine_context *context)
{
	struct context *c = (struct context *)context;
	cuda_enter_to_free(context->engine);
	for (int i = 0; i < c->n_passes; i++)
		cudnn_pass_close(&c->place, &c->passes[i]);
	cudnn_place_close(&c->place);
	cudaFreeHost(c->base.ink);
	cudaFreeHost(c->scores);
	cudaFree(c->are_pixels);
	free(c);
}

static int context_open(struct engine *engine, int max_batch, int n_threads, struct engine_context **out, struct err *e)
{
	(void)n_threads; // the device has its own
	size_t n = (size_t)max_batch;
	struct context *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(e, "no memory for a context");
	c->base = (struct engine_context){ .engine = engine, .max_batch = max_batch };
	if (cuda_enter(engine, e) || cuda_alloc_pinned(engine, n * LENET5_PIXELS * sizeof(float), (void **)&c->base.ink, e) ||
	    cuda_alloc_pinned(engine, n * LENET5_DIGITS * sizeof(float), (void **)&c->scores, e) ||
	    cuda_alloc(engine, sizeof *c->are_pixels, (void **)&c->are_pixels, e) ||
	    cudnn_place_open(engine, lenet5_at(0), max_batch, false, &c->place, e) ||
	    CUDA(engine, cudaMemsetAsync(c->are_pixels, c->pixels, sizeof c->pixels, c->place.stream), e) ||
	    CUDA(engine, cudaMemsetAsync(c->place.model, 0, sizeof *c->place.model, c->place.stream), e) || open_passes(c, e) ||
	    check_passes(c, e)) {
		context_close(&c->base);
		return -1;
	}
	c->base.pixels = (uint8_t *)c->base.ink;
	*out = &c->base;
	return 0;
}

// n pictures, their pixels or, where that is NULL, their ink, through the smallest pass that holds them; everything is in
// c->place.maps and c->scores then.
static int compute(struct context *c, const struct engine_model *model, const uint8_t *pixels, const float *ink, int n,
		   struct err *e)
{
	const struct model *m = (const struct model *)model;
	struct engine *engine = c->base.engine;
	if (cuda_enter(engine, e))
		return -1;
	cuda_take(&c->base, pixels, ink, n);
	if (c->pixels != (pixels != NULL)) {
		if (CUDA(engine, cudaMemsetAsync(c->are_pixels, pixels != NULL, sizeof c->pixels, c->place.stream), e))
			return -1;
		c->pixels = !c->pixels;
	}
	if (c->serial != m->serial) {
		c->serial = 0;
		c->place.net = model->net;
		if (CUDA(engine, cudaMemcpyAsync(c->place.model, m->model, sizeof *m->model, cudaMemcpyDefault, c->place.stream),
			 e))
			return -1;
		c->serial = m->serial;
	}
	const struct cudnn_pass *pass = &c->passes[c->n_passes - 1];
	while (pass->n < n)
		pass--;
	return launch(c, pass, e);
}

static int forward(struct engine_context *context, const struct engine_model *model, const uint8_t *pixels, const float *ink, int n,
		   float *scores, struct err *e)
{
	struct context *c = (struct context *)context;
	if (compute(c, model, pixels, ink, n, e))
		return -1;
	memcpy(scores, c->scores, (size_t)n * LENET5_DIGITS * sizeof *scores);
	return 0;
}

// C1 and C3 are left before their bias, which max-pooling adds: added here, to each map.
static void add_biases(float *maps, const float *bias, int n_maps, int area)
{
	for (int i = 0; i < n_maps * area; i++)
		maps[i] += bias[i / area];
}

static int trace(struct engine_context *context, const struct engine_model *model, const float *ink, struct engine_trace *out,
		 struct err *e)
{
	struct context *c = (struct context *)context;
	struct engine *engine = c->base.engine;
	const struct lenet5 *net = model->net;
	float c1_bias[6], c3_bias[16];
	struct engine_trace t;
	const struct cudnn_place *p = &c->place;
	const float *params = p->model->params;
	const struct {
		void *to;
		const float *from;
		size_t bytes;
	} copies[] = {
		{ t.input, p->maps[LENET5_INPUT], sizeof t.input },
		{ t.c1, p->maps[LENET5_C1], sizeof t.c1 },
		{ t.s2, p->maps[LENET5_S2], sizeof t.s2 },
		{ t.c3, p->maps[LENET5_C3], sizeof t.c3 },
		{ t.s4, p->maps[LENET5_S4], sizeof t.s4 },
		{ t.c5, p->maps[LENET5_C5], sizeof t.c5 },
		{ t.f6, p->maps[LENET5_F6], sizeof t.f6 },
		{ c1_bias, params + lenet5_offset(net, LENET5_C1_BIAS), sizeof c1_bias },
		{ c3_bias, params + lenet5_offset(net, LENET5_C3_BIAS), sizeof c3_bias },
	};
	if (compute(c, model, NULL, ink, 1, e))
		return -1;
	for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++)
		if (CUDA(engine, cudaMemcpyAsync(copies[i].to, copies[i].from, copies[i].bytes, cudaMemcpyDefault, p->stream), e))
			return -1;
	if (CUDA(engine, cudaStreamSynchronize(p->stream), e))
		return -1;
	if (net->pooling == LENET5_MAX) {
		add_biases(t.c1, c1_bias, 6, 28 * 28);
		add_biases(t.c3, c3_bias, 16, 10 * 10);
	}
	memcpy(t.output, c->scores, sizeof t.output);
	*out = t;
	return 0;
}

static void engine_free(struct engine *engine)
{
	cudnn_close(((struct cuda_engine *)engine)->cudnn);
	free(engine);
}

// Puts cuDNN's functions, and its name, in place of our own kernels'. Where this fails the engine stays as it was.
static int attach(struct cuda_engine *engine, bool tf32, struct err *e)
{
	static const struct engine_ops ops = {
		.close = engine_free,
		.model_new = model_new,
		.model_free = model_free,
		.context_open = context_open,
		.context_close = context_close,
		.forward = forward,
		.trace = trace,
		.trainer_open = cudnn_trainer_open,
		.trainer_close = cudnn_trainer_close,
		.trainer_data = cudnn_trainer_data,
		.trainer_steps = cudnn_trainer_steps,
		.trainer_read = cudnn_trainer_read,
		.peak = cuda_engine_peak,
	};
	struct cudnn *cudnn;
	struct cudnn_session session;
	if (cuda_enter(&engine->base, e) || cudnn_open(tf32, &cudnn, e))
		return -1;
	if (cudnn_session_open(cudnn, NULL, &session, e)) { // cuDNN has a say in which devices it works on
		cudnn_close(cudnn);
		return -1;
	}
	cudnn_session_close(&session);
	engine->cudnn = cudnn;
	engine->base.ops = &ops;
	engine->base.kernels = "cudnn";
	size_t used = strlen(engine->base.name) - 1; // over the bracket at its end
	snprintf(engine->base.name + used, sizeof engine->base.name - used, ", cuDNN %s%s)", cudnn->version, tf32 ? ", TF32" : "");
	return 0;
}

int cudnn_engine_open(int device, bool tf32, struct engine **out, struct err *e)
{
	struct engine *engine;
	if (cuda_engine_open(device, &engine, e))
		return -1;
	if (attach((struct cuda_engine *)engine, tf32, e)) {
		engine_close(engine);
		return -1;
	}
	*out = engine;
	return 0;
}
