// Stochastic gradient descent on the CPU. A step is two loops over the pool: chunks of pictures forward and backward, then
// parts of the parameters. The chunks' size and the parts are fixed, whatever the number of threads (see isa_train.c).
#include "kernels/cpu/cpu_engine.h"
#include "kernels/cpu/cpu_pack.h"
#include "kernels/cpu/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct trainer {
	struct engine_trainer base;
	const struct isa_functions *functions;
	struct pool *pool;
	struct isa_network network; // its params are below
	struct isa_params *params, *momentum;
	struct isa_transposed *turned;
	struct isa_sgd sgd;
	struct isa_params *scale; // of the rates; in use (sgd.scale) once there is a curvature
	float mu;
	enum engine_loss loss;
	float j;
	float targets[LENET5_DIGITS + 1][16]; // by label, LENET5_NO_DIGIT the last

	const uint8_t *pixels, *labels; // borrowed

	// The step in hand; each array has room for a batch.
	int n;
	const uint32_t *order;
	struct isa_features *features; // (batch, or a chunk)
	union isa_gradient *gradients; // (chunks of a batch)
	double *losses; // (batch)
};

static int n_chunks(int n)
{
	return (n + MAX_CHUNK - 1) / MAX_CHUNK;
}

static int no_curvature(const struct lenet5 *net, struct err *e)
{
	return err_set(e, "network %s has no curvature in this engine: train it with the optimiser sgd", net->name);
}

// The rates' factors 1/(mu + h), from the curvature h.
static void set_scale(struct trainer *t, const struct isa_params *curvature)
{
	const float *h = (const float *)curvature;
	float *scale = (float *)t->scale;
	for (size_t i = 0; i < sizeof *t->scale / sizeof(float); i++)
		scale[i] = 1 / (t->mu + h[i]);
	t->sgd.scale = t->scale;
}

int cpu_trainer_open(struct engine *engine, const struct engine_training *training, struct engine_trainer **out, struct err *e)
{
	const struct engine_network *start = &training->start;
	size_t batch = (size_t)training->batch, room = batch < MAX_CHUNK ? MAX_CHUNK : batch;
	struct trainer *t = calloc(1, sizeof *t);
	if (!t)
		return err_set(e, "no memory for a trainer");
	t->base = (struct engine_trainer){ .engine = engine, .batch = training->batch };
	t->functions = isa_for(cpu_isa(engine), start->net);
	if (training->curvature && !t->functions->curve) {
		cpu_trainer_close(&t->base);
		return no_curvature(start->net, e);
	}
	if (pool_new(training->n_threads, &t->pool, e) || !(t->params = cpu_alloc(sizeof *t->params, e)) ||
	    !(t->momentum = cpu_alloc(sizeof *t->momentum, e)) || !(t->turned = cpu_alloc(sizeof *t->turned, e)) ||
	    !(t->scale = cpu_alloc(sizeof *t->scale, e)) || !(t->features = cpu_alloc(room * sizeof *t->features, e)) ||
	    !(t->gradients = cpu_alloc((size_t)n_chunks(training->batch) * sizeof *t->gradients, e)) ||
	    !(t->losses = cpu_alloc(batch * sizeof *t->losses, e))) {
		cpu_trainer_close(&t->base);
		return -1;
	}

	t->network = (struct isa_network){ start->net, start->mean, 1 / start->std, t->params, NULL };
	cpu_pack(start->net, start->params, t->params);
	cpu_turn(t->params, t->turned);
	if (training->momentum)
		cpu_pack(start->net, training->momentum, t->momentum);
	t->sgd = (struct isa_sgd){ start->net, 0, training->momentum_rate, training->weight_decay, NULL };
	t->loss = training->loss;
	t->j = training->j;
	t->mu = training->mu;
	if (training->curvature) {
		cpu_pack(start->net, training->curvature, t->scale);
		set_scale(t, t->scale);
	}
	float smoothing = training->label_smoothing;
	for (int label = 0; label < LENET5_DIGITS; label++)
		for (int i = 0; i < LENET5_DIGITS; i++)
			t->targets[label][i] = smoothing / LENET5_DIGITS + (i == label ? 1 - smoothing : 0);
	for (int i = 0; i < LENET5_DIGITS; i++)
		t->targets[LENET5_NO_DIGIT][i] = 1.0f / LENET5_DIGITS;
	*out = &t->base;
	return 0;
}

void cpu_trainer_close(struct engine_trainer *trainer)
{
	struct trainer *t = (struct trainer *)trainer;
	pool_free(t->pool);
	free(t->params);
	free(t->momentum);
	free(t->turned);
	free(t->scale);
	free(t->features);
	free(t->gradients);
	free(t->losses);
	free(t);
}

int cpu_trainer_data(struct engine_trainer *trainer, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *e)
{
	(void)n, (void)e;
	struct trainer *t = (struct trainer *)trainer;
	t->pixels = pixels;
	t->labels = labels;
	return 0;
}

// The pictures of chunk `chunk` of the step in hand, and room for what `lesson` points to.
struct chunk {
	const uint8_t *pixels[MAX_CHUNK];
	float targets[MAX_CHUNK][16];
	struct isa_lesson lesson;
};

static void gather(const struct trainer *t, int chunk, int batch, struct chunk *c)
{
	int first = chunk * MAX_CHUNK, n = t->n - first < MAX_CHUNK ? t->n - first : MAX_CHUNK;
	for (int p = 0; p < n; p++) {
		uint32_t picture = t->order[first + p];
		c->pixels[p] = t->pixels + (size_t)picture * LENET5_PIXELS;
		memcpy(c->targets[p], t->targets[t->labels[picture]], sizeof c->targets[p]);
	}
	c->lesson = (struct isa_lesson){ c->pixels, (const float(*)[16])c->targets, n, batch, t->loss, t->j };
}

static void learn_chunk(void *context, int chunk)
{
	struct trainer *t = context;
	int first = chunk * MAX_CHUNK;
	struct chunk c;
	gather(t, chunk, t->n, &c);
	t->functions->learn(&t->network, t->turned, &c.lesson, t->features + first, t->gradients + chunk, t->losses + first);
}

static void update_part(void *context, int part)
{
	struct trainer *t = context;
	t->functions->update(part, t->features, t->n, t->gradients, n_chunks(t->n), &t->sgd, t->params, t->momentum, t->turned);
}

int cpu_trainer_steps(struct engine_trainer *trainer, const uint32_t *order, uint32_t n, const float *rates, float *losses,
		      struct err *e)
{
	(void)e;
	struct trainer *t = (struct trainer *)trainer;
	uint32_t batch = (uint32_t)t->base.batch;
	for (uint32_t done = 0; done < n; done += batch) {
		t->order = order + done;
		t->n = (int)(n - done < batch ? n - done : batch);
		t->sgd.rate = *rates++;
		pool_run(t->pool, n_chunks(t->n), learn_chunk, t);
		pool_run(t->pool, N_UPDATES, update_part, t);
		double loss = 0;
		for (int i = 0; i < t->n; i++)
			loss += t->losses[i];
		*losses++ = (float)(loss / t->n);
	}
	return 0;
}

// What an estimate of the curvature needs beside the trainer.
struct estimate {
	struct isa_params squares; // of the weights
	struct isa_transposed turned;
	struct isa_params curvature; // so far
	struct isa_params momentum; // of adding; stays behind
	struct isa_transposed left_over; // of adding
	struct trainer *trainer;
};

// Adding is a step of gradient descent at a rate of −1.
static void add_part(void *context, int part)
{
	struct estimate *s = context;
	struct trainer *t = s->trainer;
	const struct isa_sgd add = { t->network.net, -1, 0, 0, NULL };
	t->functions->update(part, t->features, t->n, t->gradients, 1, &add, &s->curvature, &s->momentum, &s->left_over);
}

// In chunks, whatever the size of a step: the estimate does not depend on it.
int cpu_trainer_curvature(struct engine_trainer *trainer, const uint32_t *order, uint32_t n, float *curvature, struct err *e)
{
	struct trainer *t = (struct trainer *)trainer;
	const struct lenet5 *net = t->network.net;
	if (!t->functions->curve)
		return no_curvature(net, e);
	assert(t->mu > 0);
	struct estimate *s = cpu_alloc(sizeof *s, e);
	if (!s)
		return -1;
	s->trainer = t;
	for (size_t i = 0; i < sizeof s->squares / sizeof(float); i++)
		((float *)&s->squares)[i] = ((const float *)t->params)[i] * ((const float *)t->params)[i];
	cpu_turn(&s->squares, &s->turned);
	for (uint32_t done = 0; done < n; done += MAX_CHUNK) {
		struct chunk c;
		t->order = order + done;
		t->n = (int)(n - done < MAX_CHUNK ? n - done : MAX_CHUNK);
		gather(t, 0, (int)n, &c);
		t->functions->curve(&t->network, t->turned, &s->squares, &s->turned, &c.lesson, t->features, t->gradients);
		pool_run(t->pool, N_UPDATES, add_part, s);
	}
	set_scale(t, &s->curvature);
	cpu_unpack(net, &s->curvature, curvature);
	free(s);
	return 0;
}

int cpu_trainer_read(struct engine_trainer *trainer, float *params, float *momentum, struct err *e)
{
	(void)e;
	struct trainer *t = (struct trainer *)trainer;
	if (params)
		cpu_unpack(t->network.net, t->params, params);
	if (momentum)
		cpu_unpack(t->network.net, t->momentum, momentum);
	return 0;
}
