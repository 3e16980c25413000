// Stochastic gradient descent by cuDNN. The data set is on the device, and so are a call's order and rates: each step finds
// its place by a counter there, so that all steps are the same graph. A last step of fewer pictures has a pass and a graph
// of its own. Losses stay on the device until the last step is done; nothing in between waits for the host.
#include "kernels/cudnn/cudnn_engine.h"
#include "kernels/cudnn/cudnn_pass.h"

#include <stdlib.h>
#include <string.h>

struct trainer {
	struct engine_trainer base;
	struct cudnn_place place;
	struct cudnn_pass whole, rest; // of base.batch pictures; of fewer, planned when they are first needed
	struct cudnn_pass *pass; // of the step in hand
	enum engine_loss loss;
	float momentum_rate, weight_decay, smoothing, j;

	// device memory
	struct cudnn_steps *steps;
	struct cuda_buffer pixels, labels; // the data set: (n, 28, 28), (n)
	struct cuda_buffer order, rates, losses; // of one call: (pictures), (steps), (steps)
};

void cudnn_trainer_close(struct engine_trainer *trainer)
{
	struct trainer *t = (struct trainer *)trainer;
	cuda_enter_to_free(trainer->engine);
	cudnn_pass_close(&t->place, &t->whole);
	cudnn_pass_close(&t->place, &t->rest);
	cudnn_place_close(&t->place);
	cudaFree(t->steps);
	cudaFree(t->pixels.at);
	cudaFree(t->labels.at);
	cudaFree(t->order.at);
	cudaFree(t->rates.at);
	cudaFree(t->losses.at);
	free(t);
}

static int set_momentum(struct trainer *t, const float *momentum, struct err *e)
{
	struct engine *engine = t->base.engine;
	cudaStream_t stream = t->place.stream;
	float *to = t->place.momentum;
	size_t bytes = t->place.net->n_params * sizeof(float);
	if (momentum ? CUDA(engine, cudaMemcpyAsync(to, momentum, bytes, cudaMemcpyDefault, stream), e)
		     : CUDA(engine, cudaMemsetAsync(to, 0, bytes, stream), e))
		return -1;
	return CUDA(engine, cudaStreamSynchronize(stream), e);
}

int cudnn_trainer_open(struct engine *engine, const struct engine_training *training, struct engine_trainer **out, struct err *e)
{
	const struct lenet5 *net = training->start.net;
	if (cudnn_computes(net, e))
		return -1;
	struct trainer *t = calloc(1, sizeof *t);
	if (!t)
		return err_set(e, "no memory for a trainer");
	t->base = (struct engine_trainer){ .engine = engine, .batch = training->batch };
	t->loss = training->loss;
	t->momentum_rate = training->momentum_rate;
	t->weight_decay = training->weight_decay;
	t->smoothing = training->label_smoothing;
	t->j = training->j;
	if (cudnn_place_open(engine, net, training->batch, true, &t->place, e) ||
	    cuda_alloc(engine, sizeof *t->steps, (void **)&t->steps, e) ||
	    cudnn_model_upload(engine, &training->start, t->place.model, e) || set_momentum(t, training->momentum, e) ||
	    cudnn_passes_open(&t->place, &training->batch, 1, true, &t->whole, e)) {
		cudnn_trainer_close(&t->base);
		return -1;
	}
	*out = &t->base;
	return 0;
}

int cudnn_trainer_data(struct engine_trainer *trainer, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *e)
{
	struct trainer *t = (struct trainer *)trainer;
	struct engine *engine = t->base.engine;
	cudaStream_t stream = t->place.stream;
	if (cuda_enter(engine, e) || cuda_buffer_fill(engine, &t->pixels, pixels, (size_t)n * LENET5_PIXELS, stream, e) ||
	    cuda_buffer_fill(engine, &t->labels, labels, n, stream, e))
		return -1;
	return CUDA(engine, cudaStreamSynchronize(stream), e);
}

static int put_loss(const struct trainer *t, int n, struct err *e)
{
	const struct cudnn_place *p = &t->place;
	struct cudnn_loss loss = {
		.steps = t->steps,
		.loss = t->loss,
		.x = p->maps[LENET5_OUTPUT],
		.d = p->dmaps[LENET5_OUTPUT],
		.smoothing = t->smoothing,
		.j = t->j,
		.batch = t->base.batch,
		.n = n,
	};
	if (p->net->output == LENET5_LOGITS)
		loss.bias = p->model->params + lenet5_offset(p->net, LENET5_OUTPUT_BIAS);
	else if (cudnn_pass_scores(p, n, p->maps[LENET5_OUTPUT], e))
		return -1;
	return CUDA(t->base.engine, cudnn_loss_launch(&loss, p->stream), e);
}

static int put_update(const struct trainer *t, struct err *e)
{
	const struct cudnn_place *p = &t->place;
	// the centres, which come last, stay where they are
	size_t count = p->net->output == LENET5_LOGITS ? p->net->n_params : lenet5_offset(p->net, LENET5_OUTPUT_WEIGHT);
	struct cudnn_update update = {
		.steps = t->steps,
		.params = p->model->params,
		.momentum = p->momentum,
		.gradient = p->gradient,
		.momentum_rate = t->momentum_rate,
		.weight_decay = t->weight_decay,
		.count = (int)count,
		.c3_weight = lenet5_offset(p->net, LENET5_C3_WEIGHT),
	};
	memcpy(update.c3_links, p->net->c3_links, sizeof update.c3_links);
	return CUDA(t->base.engine, cudnn_update_launch(&update, p->stream), e);
}

// One step, pictures to parameters.
static int put_step(void *context, struct err *e)
{
	struct trainer *t = context;
	const struct cudnn_pass *pass = t->pass;
	const struct cudnn_place *p = &t->place;
	const struct cudnn_input input = {
		.network = &p->model->network, .steps = t->steps, .batch = t->base.batch, .n = pass->n, .x = p->maps[LENET5_INPUT]
	};
	if (CUDA(t->base.engine, cudnn_input_launch(&input, p->stream), e) || cudnn_pass_forward(p, pass, e) ||
	    put_loss(t, pass->n, e) || cudnn_pass_backward(p, pass, e) || put_update(t, e))
		return -1;
	return 0;
}

// The first step of its size is the one in which the graph of the others is made.
static int step(struct trainer *t, struct cudnn_pass *pass, struct err *e)
{
	cudaGraphExec_t graph = pass->graphs[t->place.net->pooling];
	t->pass = pass;
	if (!graph)
		return cudnn_pass_capture(&t->place, pass, put_step, t, e);
	return CUDA(t->base.engine, cudaGraphLaunch(graph, t->place.stream), e);
}

static int plan_rest(struct trainer *t, int n, struct err *e)
{
	if (n == 0 || n == t->rest.n)
		return 0;
	cudnn_pass_close(&t->place, &t->rest);
	return cudnn_passes_open(&t->place, &n, 1, true, &t->rest, e);
}

// order, rates and the place of the first step onto the device.
static int upload_steps(struct trainer *t, const uint32_t *order, uint32_t n, const float *rates, uint32_t n_steps, struct err *e)
{
	struct engine *engine = t->base.engine;
	cudaStream_t stream = t->place.stream;
	if (cuda_buffer_fill(engine, &t->order, order, n * sizeof *order, stream, e) ||
	    cuda_buffer_fill(engine, &t->rates, rates, n_steps * sizeof *rates, stream, e) ||
	    cuda_buffer_fill(engine, &t->losses, NULL, n_steps * sizeof *rates, stream, e))
		return -1;
	const struct cudnn_steps steps = { t->pixels.at, t->labels.at, t->order.at, t->rates.at, t->losses.at, 0, 0 };
	if (CUDA(engine, cudaMemcpyAsync(t->steps, &steps, sizeof steps, cudaMemcpyDefault, stream), e))
		return -1;
	return CUDA(engine, cudaStreamSynchronize(stream), e);
}

int cudnn_trainer_steps(struct engine_trainer *trainer, const uint32_t *order, uint32_t n, const float *rates, float *losses,
			struct err *e)
{
	struct trainer *t = (struct trainer *)trainer;
	struct engine *engine = t->base.engine;
	uint32_t batch = (uint32_t)t->base.batch, n_whole = n / batch, n_steps = n_whole + (n % batch > 0);
	if (cuda_enter(engine, e) || plan_rest(t, (int)(n % batch), e) || upload_steps(t, order, n, rates, n_steps, e))
		return -1;
	for (uint32_t i = 0; i < n_steps; i++)
		if (step(t, i < n_whole ? &t->whole : &t->rest, e))
			return -1;
	if (CUDA(engine, cudaMemcpyAsync(losses, t->losses.at, n_steps * sizeof *losses, cudaMemcpyDefault, t->place.stream), e))
		return -1;
	return CUDA(engine, cudaStreamSynchronize(t->place.stream), e);
}

int cudnn_trainer_read(struct engine_trainer *trainer, float *params, float *momentum, struct err *e)
{
	struct trainer *t = (struct trainer *)trainer;
	struct engine *engine = t->base.engine;
	const struct cudnn_place *p = &t->place;
	size_t bytes = p->net->n_params * sizeof(float);
	if (cuda_enter(engine, e) ||
	    (params && CUDA(engine, cudaMemcpyAsync(params, p->model->params, bytes, cudaMemcpyDefault, p->stream), e)) ||
	    (momentum && CUDA(engine, cudaMemcpyAsync(momentum, p->momentum, bytes, cudaMemcpyDefault, p->stream), e)))
		return -1;
	return CUDA(engine, cudaStreamSynchronize(p->stream), e);
}
