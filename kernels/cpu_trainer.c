// Stochastic gradient descent on the CPU. A step is two loops over the pool: chunks of pictures forward and backward, then
// parts of the parameters. The chunks' size and the parts are fixed, whatever the number of threads (see isa_train.c).
#include "kernels/cpu_engine.h"
#include "kernels/cpu_pack.h"
#include "kernels/pool.h"

#include <stdlib.h>

struct trainer {
	struct engine_trainer base;
	const struct isa *isa;
	struct pool *pool;
	struct isa_network network; // its params are below
	struct isa_params *params, *momentum;
	struct isa_transposed *turned;
	struct isa_sgd sgd;
	float targets[LENET5_DIGITS][16]; // by label

	const uint8_t *pixels, *labels; // borrowed
	uint32_t n_data;

	// The step in hand; each array has room for a batch.
	int n;
	const uint32_t *order;
	struct isa_features *features; // (batch)
	struct isa_conv_gradient *gradients; // (chunks of a batch)
	double *losses; // (batch)
};

static int n_chunks(int n)
{
	return (n + MAX_CHUNK - 1) / MAX_CHUNK;
}

int cpu_trainer_open(struct engine *engine, const struct engine_training *training, struct engine_trainer **out, struct err *e)
{
	const struct engine_network *start = &training->start;
	size_t batch = (size_t)training->batch;
	struct trainer *t = calloc(1, sizeof *t);
	if (!t)
		return err_set(e, "no memory for a trainer");
	t->base = (struct engine_trainer){ engine, training->batch };
	t->isa = cpu_isa(engine);
	if (pool_new(training->n_threads, &t->pool, e) || !(t->params = cpu_alloc(sizeof *t->params, e)) ||
	    !(t->momentum = cpu_alloc(sizeof *t->momentum, e)) || !(t->turned = cpu_alloc(sizeof *t->turned, e)) ||
	    !(t->features = cpu_alloc(batch * sizeof *t->features, e)) ||
	    !(t->gradients = cpu_alloc((size_t)n_chunks(training->batch) * sizeof *t->gradients, e)) ||
	    !(t->losses = cpu_alloc(batch * sizeof *t->losses, e))) {
		cpu_trainer_close(&t->base);
		return -1;
	}

	t->network = (struct isa_network){ start->net, start->mean, 1 / start->std, t->params };
	cpu_pack(start->params, t->params);
	cpu_turn(t->params, t->turned);
	if (training->momentum)
		cpu_pack(training->momentum, t->momentum);
	t->sgd = (struct isa_sgd){ 0, training->momentum_rate, training->weight_decay };
	float smoothing = training->label_smoothing;
	for (int label = 0; label < LENET5_DIGITS; label++)
		for (int i = 0; i < LENET5_DIGITS; i++)
			t->targets[label][i] = smoothing / LENET5_DIGITS + (i == label ? 1 - smoothing : 0);
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
	free(t->features);
	free(t->gradients);
	free(t->losses);
	free(t);
}

int cpu_trainer_data(struct engine_trainer *trainer, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *e)
{
	struct trainer *t = (struct trainer *)trainer;
	for (uint32_t i = 0; i < n; i++)
		if (labels[i] >= LENET5_DIGITS)
			return err_set(e, "label %u of picture %u: want 0 to 9", labels[i], i);
	t->pixels = pixels;
	t->labels = labels;
	t->n_data = n;
	return 0;
}

static void learn_chunk(void *context, int chunk)
{
	struct trainer *t = context;
	int first = chunk * MAX_CHUNK, n = t->n - first < MAX_CHUNK ? t->n - first : MAX_CHUNK;
	const uint8_t *pixels[MAX_CHUNK];
	float targets[MAX_CHUNK][16];
	for (int p = 0; p < n; p++) {
		uint32_t picture = t->order[first + p];
		pixels[p] = t->pixels + (size_t)picture * LENET5_PIXELS;
		for (int i = 0; i < 16; i++)
			targets[p][i] = t->targets[t->labels[picture]][i];
	}
	t->isa->learn(&t->network, t->turned, pixels, (const float(*)[16])targets, n, t->n, t->features + first, t->gradients + chunk,
		      t->losses + first);
}

static void update_part(void *context, int part)
{
	struct trainer *t = context;
	t->isa->update(part, t->features, t->n, t->gradients, n_chunks(t->n), &t->sgd, t->params, t->momentum, t->turned);
}

int cpu_trainer_steps(struct engine_trainer *trainer, const uint32_t *order, uint32_t n, const float *rates, float *losses, struct err *e)
{
	struct trainer *t = (struct trainer *)trainer;
	for (uint32_t i = 0; i < n; i++)
		if (order[i] >= t->n_data)
			return err_set(e, "picture %u of %u in the order of training", order[i], t->n_data);
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

int cpu_trainer_read(struct engine_trainer *trainer, float *params, float *momentum, struct err *e)
{
	(void)e;
	struct trainer *t = (struct trainer *)trainer;
	if (params)
		cpu_unpack(t->params, params);
	if (momentum)
		cpu_unpack(t->momentum, momentum);
	return 0;
}
