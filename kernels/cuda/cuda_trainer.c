// Training on a GPU. The data set, the order of a call's pictures and its rates are on the device, and a step finds its place
// there by itself (struct cuda_steps): so one captured graph of GRAPH_STEPS steps serves all of them, launched again and
// again without waiting, and the losses come back once, when all is done.
#include "kernels/cuda/cuda_engine.h"
#include "kernels/cuda/cuda_net.h"

#include <stdlib.h>
#include <string.h>

// A launch of a graph costs the host about what a step costs the device; what is left over at the end of a call ends at once.
enum { GRAPH_STEPS = 16 };

struct trainer {
	struct engine_trainer base;
	const struct lenet5 *net;
	cudaStream_t stream;
	cudaGraphExec_t graph; // GRAPH_STEPS steps
	struct cuda_training training; // its pointers are the device's
	struct cuda_params *packed; // for reading back

	struct cuda_buffer pixels, labels; // the data set: (n, 28, 28), (n)
	struct cuda_buffer order, rates, losses; // of one call: (pictures), (steps), (steps)
};

static struct trainer *trainer_of(struct engine_trainer *trainer)
{
	return (struct trainer *)trainer;
}

void cuda_trainer_close(struct engine_trainer *trainer)
{
	cuda_enter_to_free(trainer->engine);
	struct trainer *t = trainer_of(trainer);
	if (t->graph)
		cudaGraphExecDestroy(t->graph);
	if (t->stream)
		cudaStreamDestroy(t->stream);
	void *const memory[] = { t->training.params, t->training.momentum, t->training.turned, t->training.features,
				 t->training.steps,  t->pixels.at,         t->labels.at,       t->order.at,
				 t->rates.at,        t->losses.at };
	for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
		cudaFree(memory[i]);
	free(t->packed);
	free(t);
}

// Parameters, their turned copies and the momentum to the device.
static int upload_params(struct trainer *t, const struct engine_training *training, struct err *e)
{
	struct engine *engine = t->base.engine;
	struct cuda_turned *turned = malloc(sizeof *turned);
	if (!turned)
		return err_set(e, "no memory for a trainer");
	cuda_pack(t->net, training->start.params, t->packed);
	cuda_turn(t->packed, turned);
	int status = cuda_upload(engine, t->training.params, t->packed, sizeof *t->packed, e) ||
		     cuda_upload(engine, t->training.turned, turned, sizeof *turned, e);
	if (!status && training->momentum) {
		cuda_pack(t->net, training->momentum, t->packed);
		status = cuda_upload(engine, t->training.momentum, t->packed, sizeof *t->packed, e);
	}
	free(turned);
	return status;
}

static int put_steps(void *context, struct err *e)
{
	struct trainer *t = context;
	for (int i = 0; i < GRAPH_STEPS; i++)
		if (CUDA(t->base.engine, cuda_train_launch(&t->training, t->stream), e))
			return -1;
	return 0;
}

int cuda_trainer_open(struct engine *engine, const struct engine_training *training, struct engine_trainer **out, struct err *e)
{
	const struct lenet5 *net = training->start.net;
	size_t batch = (size_t)training->batch;
	struct trainer *t = calloc(1, sizeof *t);
	if (!t || !(t->packed = malloc(sizeof *t->packed))) {
		free(t);
		return err_set(e, "no memory for a trainer");
	}
	t->base = (struct engine_trainer){ .engine = engine, .batch = training->batch };
	t->net = net;
	struct cuda_training *d = &t->training;
	d->batch = (uint32_t)training->batch;
	d->momentum_rate = training->momentum_rate;
	d->weight_decay = training->weight_decay;
	d->label_smoothing = training->label_smoothing;
	if (cuda_enter(engine, e) || CUDA(engine, cudaStreamCreateWithFlags(&t->stream, cudaStreamNonBlocking), e) ||
	    cuda_alloc(engine, sizeof *d->params, (void **)&d->params, e) ||
	    cuda_alloc(engine, sizeof *d->momentum, (void **)&d->momentum, e) ||
	    cuda_alloc(engine, sizeof *d->turned, (void **)&d->turned, e) ||
	    cuda_alloc(engine, batch * sizeof *d->features, (void **)&d->features, e) ||
	    cuda_alloc(engine, sizeof *d->steps, (void **)&d->steps, e) ||
	    CUDA(engine, cudaMemsetAsync(d->momentum, 0, sizeof *d->momentum, t->stream), e) ||
	    CUDA(engine, cudaMemsetAsync(d->features, 0, batch * sizeof *d->features, t->stream), e) ||
	    CUDA(engine, cudaStreamSynchronize(t->stream), e) || upload_params(t, training, e))
		goto failed;
	d->network = cuda_network_of(&training->start, d->params);
	d->loss = training->loss;
	d->j = training->j;
	if (cuda_capture(engine, t->stream, put_steps, t, &t->graph, e))
		goto failed;
	*out = &t->base;
	return 0;
failed:
	cuda_trainer_close(&t->base);
	return -1;
}

int cuda_trainer_data(struct engine_trainer *trainer, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *e)
{
	struct trainer *t = trainer_of(trainer);
	struct engine *engine = t->base.engine;
	if (cuda_enter(engine, e) || cuda_buffer_fill(engine, &t->pixels, pixels, (size_t)n * LENET5_PIXELS, t->stream, e) ||
	    cuda_buffer_fill(engine, &t->labels, labels, n, t->stream, e))
		return -1;
	return CUDA(engine, cudaStreamSynchronize(t->stream), e);
}

int cuda_trainer_steps(struct engine_trainer *trainer, const uint32_t *order, uint32_t n, const float *rates, float *losses,
		       struct err *e)
{
	struct trainer *t = trainer_of(trainer);
	struct engine *engine = t->base.engine;
	uint32_t batch = t->training.batch, n_steps = (uint32_t)(((uint64_t)n + batch - 1) / batch);
	if (cuda_enter(engine, e) || cuda_buffer_fill(engine, &t->order, order, n * sizeof *order, t->stream, e) ||
	    cuda_buffer_fill(engine, &t->rates, rates, n_steps * sizeof *rates, t->stream, e) ||
	    cuda_buffer_fill(engine, &t->losses, NULL, n_steps * sizeof *losses, t->stream, e))
		return -1;
	const struct cuda_steps steps = { t->pixels.at, t->labels.at, t->order.at, t->rates.at, t->losses.at, n, 0, 0 };
	if (CUDA(engine, cudaMemcpyAsync(t->training.steps, &steps, sizeof steps, cudaMemcpyHostToDevice, t->stream), e))
		return -1;
	for (uint32_t done = 0; done < n_steps; done += GRAPH_STEPS)
		if (CUDA(engine, cudaGraphLaunch(t->graph, t->stream), e))
			return -1;
	if (CUDA(engine, cudaMemcpyAsync(losses, t->losses.at, n_steps * sizeof *losses, cudaMemcpyDeviceToHost, t->stream), e))
		return -1;
	return CUDA(engine, cudaStreamSynchronize(t->stream), e);
}

int cuda_trainer_read(struct engine_trainer *trainer, float *params, float *momentum, struct err *e)
{
	struct trainer *t = trainer_of(trainer);
	struct engine *engine = t->base.engine;
	const struct {
		const struct cuda_params *from;
		float *to;
	} both[] = { { t->training.params, params }, { t->training.momentum, momentum } };
	if (cuda_enter(engine, e))
		return -1;
	for (int i = 0; i < 2; i++) {
		if (!both[i].to)
			continue;
		if (CUDA(engine, cudaMemcpyAsync(t->packed, both[i].from, sizeof *t->packed, cudaMemcpyDeviceToHost, t->stream),
			 e) ||
		    CUDA(engine, cudaStreamSynchronize(t->stream), e))
			return -1;
		cuda_unpack(t->net, t->packed, both[i].to);
	}
	return 0;
}
