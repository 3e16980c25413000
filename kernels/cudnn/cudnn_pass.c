// Every layer that does not pool is a convolution of the layer below, of the shapes in lenet5_shapes: a full layer's filter is as
// large as its input. Pooling, biases, activations and penalties are the kernels of cudnn_parts.cu. Everything is in one stream.
#include "kernels/cudnn/cudnn_pass.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool pools(enum lenet5_layer layer)
{
	return layer == LENET5_S2 || layer == LENET5_S4;
}

// The last layer that is a convolution: of penalties the output is none.
static enum lenet5_layer last_conv(const struct lenet5 *net)
{
	return net->output == LENET5_LOGITS ? LENET5_OUTPUT : LENET5_F6;
}

static const struct cudnn *library(const struct engine *engine)
{
	return ((const struct cuda_engine *)engine)->cudnn;
}

static size_t layer_size(enum lenet5_layer layer)
{
	const struct lenet5_shape *s = &lenet5_shapes[layer];
	return (size_t)s->maps * (size_t)s->height * (size_t)s->width;
}

int cudnn_computes(const struct lenet5 *net, struct err *e)
{
	for (int i = 0; lenet5_at(i); i++)
		if (net->tensors == lenet5_at(i)->tensors)
			return 0;
	return err_set(e, "cuDNN's engine has no network %s: use --kernels own", net->name);
}

int cudnn_model_upload(struct engine *engine, const struct engine_network *n, struct cudnn_model *to, struct err *e)
{
	assert(n->net->n_params <= CUDNN_MAX_PARAMS);
	struct cudnn_model *m = calloc(1, sizeof *m);
	if (!m)
		return err_set(e, "no memory for a model");
	m->network = (struct cudnn_network){ .mean = n->mean, .scale = 1 / n->std };
	memcpy(m->network.activation, n->net->activation, sizeof m->network.activation);
	memcpy(m->params, n->params, n->net->n_params * sizeof(float));
	int failed = cuda_upload(engine, to, m, sizeof *m, e);
	free(m);
	return failed;
}

static int alloc_floats(struct engine *engine, size_t n, float **out, struct err *e)
{
	return cuda_alloc(engine, n * sizeof(float), (void **)out, e);
}

// What the way back through a layer that pools needs to know of the way there.
static int alloc_pooled(struct cudnn_place *p, size_t n, enum lenet5_layer layer, struct err *e)
{
	if (p->net->pooling == LENET5_MAX)
		return cuda_alloc(p->engine, n * layer_size(layer), (void **)&p->from[layer], e);
	return alloc_floats(p->engine, n * layer_size(layer), &p->sums[layer], e);
}

// Adds a parameter that each of the layer's maps has one of. x: its factor, (n, …) as the layer, or NULL.
static void add_map_gradient(const struct cudnn_place *p, enum lenet5_layer layer, const float *x, enum lenet5_parameter parameter,
			     struct cudnn_map_gradients *g)
{
	const struct lenet5_shape *shape = &lenet5_shapes[layer];
	g->gradients[g->n_gradients++] =
		(struct cudnn_map_gradient){ p->dmaps[layer], x, p->gradient + lenet5_offset(p->net, parameter), shape->maps,
					     shape->height * shape->width };
}

static struct cudnn_map_gradients map_gradients_of(const struct cudnn_place *p, int n)
{
	struct cudnn_map_gradients g = { .n = n, .sums = p->map_sums };
	for (enum lenet5_layer layer = LENET5_C1; layer <= last_conv(p->net); layer++) {
		if (p->sums[layer])
			add_map_gradient(p, layer, p->sums[layer], lenet5_weight(layer), &g);
		if (p->sums[layer] || !pools(layer)) // max-pooling has no parameters
			add_map_gradient(p, layer, NULL, lenet5_bias(layer), &g);
	}
	return g;
}

static int alloc_training(struct cudnn_place *p, size_t n, struct err *e)
{
	for (int layer = LENET5_C1; layer < LENET5_N_LAYERS; layer++)
		if (alloc_floats(p->engine, n * layer_size(layer), &p->dmaps[layer], e))
			return -1;
	if (alloc_pooled(p, n, LENET5_S2, e) || alloc_pooled(p, n, LENET5_S4, e) ||
	    alloc_floats(p->engine, p->net->n_params, &p->gradient, e) ||
	    alloc_floats(p->engine, p->net->n_params, &p->momentum, e))
		return -1;
	const struct cudnn_map_gradients g = map_gradients_of(p, (int)n);
	return alloc_floats(p->engine, cudnn_map_gradients_n_sums(&g), &p->map_sums, e);
}

int cudnn_place_open(struct engine *engine, const struct lenet5 *net, int max_n, bool training, struct cudnn_place *place,
		     struct err *e)
{
	size_t n = (size_t)max_n;
	struct cudnn_place p = { .engine = engine, .net = net };
	if (cuda_enter(engine, e) || CUDA(engine, cudaStreamCreateWithFlags(&p.stream, cudaStreamNonBlocking), e) ||
	    cudnn_session_open(library(engine), p.stream, &p.session, e) ||
	    cuda_alloc(engine, sizeof *p.model, (void **)&p.model, e))
		goto failed;
	for (int layer = LENET5_INPUT; layer < LENET5_N_LAYERS; layer++)
		if (alloc_floats(engine, n * layer_size(layer), &p.maps[layer], e))
			goto failed;
	if (training && alloc_training(&p, n, e))
		goto failed;
	*place = p;
	return 0;
failed:
	cudnn_place_close(&p);
	return -1;
}

void cudnn_place_close(struct cudnn_place *p)
{
	cudnn_session_close(&p->session);
	for (int layer = LENET5_INPUT; layer < LENET5_N_LAYERS; layer++) {
		cudaFree(p->maps[layer]);
		cudaFree(p->dmaps[layer]);
		cudaFree(p->from[layer]);
		cudaFree(p->sums[layer]);
	}
	cudaFree(p->model);
	cudaFree(p->gradient);
	cudaFree(p->momentum);
	cudaFree(p->map_sums);
	if (p->stream)
		cudaStreamDestroy(p->stream);
	*p = (struct cudnn_place){ NULL };
}

// The layer's convolution in all passes.
static int plan(const struct cudnn_place *place, enum cudnn_direction direction, enum lenet5_layer layer, int n_passes,
		struct cudnn_pass *passes, struct err *e)
{
	const struct lenet5_shape *in = &lenet5_shapes[layer - 1], *out = &lenet5_shapes[layer];
	struct cudnn_shape shapes[CUDNN_MAX_SHAPES] = { { 0 } };
	struct cudnn_conv planned[CUDNN_MAX_SHAPES];
	for (int p = 0; p < n_passes; p++)
		shapes[p] = (struct cudnn_shape){ passes[p].n, in->maps, in->height, out->maps, out->height };
	if (cudnn_conv_plan(&place->session, direction, shapes, n_passes, planned, e))
		return -1;
	for (int p = 0; p < n_passes; p++)
		passes[p].convs[direction][layer] = planned[p];
	return 0;
}

static int alloc_workspace(const struct cudnn_place *place, struct cudnn_pass *pass, struct err *e)
{
	size_t bytes = 0;
	for (int d = CUDNN_CONV_FORWARD; d <= CUDNN_CONV_FILTER; d++)
		for (int i = LENET5_C1; i <= LENET5_OUTPUT; i++)
			if (pass->convs[d][i].workspace_bytes > bytes)
				bytes = pass->convs[d][i].workspace_bytes;
	return bytes ? cuda_alloc(place->engine, bytes, &pass->workspace, e) : 0;
}

int cudnn_passes_open(const struct cudnn_place *place, const int *batches, int n_passes, bool training, struct cudnn_pass *passes,
		      struct err *e)
{
	for (int p = 0; p < n_passes; p++)
		passes[p] = (struct cudnn_pass){ .n = batches[p] };
	for (int d = CUDNN_CONV_FORWARD; d <= (training ? CUDNN_CONV_FILTER : CUDNN_CONV_FORWARD); d++)
		for (enum lenet5_layer layer = LENET5_C1; layer <= (training ? last_conv(place->net) : LENET5_OUTPUT); layer++) {
			if (pools(layer) || (d == CUDNN_CONV_DATA && layer == LENET5_C1)) // the picture's gradient is of no use
				continue;
			if (plan(place, d, layer, n_passes, passes, e))
				goto failed;
		}
	for (int p = 0; p < n_passes; p++)
		if (alloc_workspace(place, &passes[p], e))
			goto failed;
	return 0;
failed:
	for (int p = 0; p < n_passes; p++)
		cudnn_pass_close(place, &passes[p]);
	return -1;
}

void cudnn_pass_close(const struct cudnn_place *place, struct cudnn_pass *pass)
{
	for (int i = LENET5_MAX; i <= LENET5_SUBSAMPLING; i++)
		if (pass->graphs[i])
			cudaGraphExecDestroy(pass->graphs[i]); // before the plans, whose code it launches
	for (int d = CUDNN_CONV_FORWARD; d <= CUDNN_CONV_FILTER; d++)
		for (int i = LENET5_C1; i <= LENET5_OUTPUT; i++)
			cudnn_conv_free(&place->session, &pass->convs[d][i]);
	cudaFree(pass->workspace);
	*pass = (struct cudnn_pass){ 0 };
}

static int convolve(const struct cudnn_place *p, const struct cudnn_pass *pass, enum cudnn_direction direction,
		    enum lenet5_layer layer, struct err *e)
{
	const float *x = direction == CUDNN_CONV_DATA ? p->dmaps[layer - 1] : p->maps[layer - 1];
	const float *w = direction == CUDNN_CONV_FILTER ? p->gradient : p->model->params;
	const float *y = direction == CUDNN_CONV_FORWARD ? p->maps[layer] : p->dmaps[layer];
	return cudnn_conv_run(&p->session, &pass->convs[direction][layer], x, w + lenet5_offset(p->net, lenet5_weight(layer)), y,
			      pass->workspace, e);
}

// The layer as the kernels of cudnn_parts.cu take it.
static struct cudnn_layer layer_of(const struct cudnn_place *p, int n, enum lenet5_layer layer)
{
	const float *params = p->model->params;
	return (struct cudnn_layer){
		.network = &p->model->network,
		.layer = layer,
		.n = n,
		.maps = lenet5_shapes[layer].maps,
		.side = lenet5_shapes[layer].height,
		.x = p->maps[layer - 1],
		.y = p->maps[layer],
		.x_bias = layer > LENET5_C1 ? params + lenet5_offset(p->net, lenet5_bias(layer - 1)) : NULL,
		.weight = params + lenet5_offset(p->net, lenet5_weight(layer)),
		.bias = params + lenet5_offset(p->net, lenet5_bias(layer)),
		.from = p->from[layer],
		.sums = p->sums[layer],
		.dx = p->dmaps[layer - 1],
		.dy = p->dmaps[layer],
	};
}

static int put_part(const struct cudnn_place *p, int n, enum lenet5_layer layer, enum cudnn_part part, struct err *e)
{
	const struct cudnn_layer l = layer_of(p, n, layer);
	return CUDA(p->engine, cudnn_part_launch(part, &l, p->stream), e);
}

// y: where the layer's activated output goes; it may be the layer's maps.
static int add_bias(const struct cudnn_place *p, int n, enum lenet5_layer layer, float *y, struct err *e)
{
	struct cudnn_layer l = layer_of(p, n, layer);
	l.x = l.y;
	l.y = y;
	return CUDA(p->engine, cudnn_part_launch(CUDNN_BIAS, &l, p->stream), e);
}

static int forward_layer(const struct cudnn_place *p, const struct cudnn_pass *pass, enum lenet5_layer layer, struct err *e)
{
	if (pools(layer))
		return put_part(p, pass->n, layer, p->net->pooling == LENET5_MAX ? CUDNN_POOL : CUDNN_SUBSAMPLE, e);
	if (convolve(p, pass, CUDNN_CONV_FORWARD, layer, e))
		return -1;
	return layer == LENET5_C5 || layer == LENET5_F6 ? add_bias(p, pass->n, layer, p->maps[layer], e) : 0;
}

int cudnn_pass_forward(const struct cudnn_place *p, const struct cudnn_pass *pass, struct err *e)
{
	for (enum lenet5_layer layer = LENET5_C1; layer <= last_conv(p->net); layer++)
		if (forward_layer(p, pass, layer, e))
			return -1;
	return 0;
}

int cudnn_pass_scores(const struct cudnn_place *p, int n, float *scores, struct err *e)
{
	if (p->net->output == LENET5_LOGITS)
		return add_bias(p, n, LENET5_OUTPUT, scores, e);
	struct cudnn_layer l = layer_of(p, n, LENET5_OUTPUT);
	l.y = scores;
	return CUDA(p->engine, cudnn_part_launch(CUDNN_PENALTIES, &l, p->stream), e);
}

// From dmaps[layer] to dmaps[layer - 1] and the gradient of the layer's weight.
static int backward_layer(const struct cudnn_place *p, const struct cudnn_pass *pass, enum lenet5_layer layer, struct err *e)
{
	if (pools(layer))
		return put_part(p, pass->n, layer, p->net->pooling == LENET5_MAX ? CUDNN_POOL_BACK : CUDNN_SUBSAMPLE_BACK, e);
	if (layer > last_conv(p->net))
		return put_part(p, pass->n, layer, CUDNN_PENALTIES_BACK, e);
	// below a layer that pools, the kernel of that one has derived
	if (layer >= LENET5_C5 && p->net->activation[layer] != LENET5_IDENTITY && put_part(p, pass->n, layer, CUDNN_DERIVE, e))
		return -1;
	return convolve(p, pass, CUDNN_CONV_FILTER, layer, e) || (layer > LENET5_C1 && convolve(p, pass, CUDNN_CONV_DATA, layer, e))
		       ? -1
		       : 0;
}

int cudnn_pass_backward(const struct cudnn_place *p, const struct cudnn_pass *pass, struct err *e)
{
	for (enum lenet5_layer layer = LENET5_OUTPUT; layer >= LENET5_C1; layer--)
		if (backward_layer(p, pass, layer, e))
			return -1;
	const struct cudnn_map_gradients g = map_gradients_of(p, pass->n);
	return CUDA(p->engine, cudnn_map_gradients_launch(&g, p->stream), e);
}

int cudnn_pass_capture(const struct cudnn_place *place, struct cudnn_pass *pass, int (*put)(void *context, struct err *e),
		       void *context, struct err *e)
{
	struct engine *engine = place->engine;
	struct err lost;
	if (put(context, e) == 0 && CUDA(engine, cudaStreamSynchronize(place->stream), e) == 0 &&
	    cuda_capture(engine, place->stream, put, context, &pass->graphs[place->net->pooling], e) == 0)
		return 0;
	// if it was cuDNN that failed, only CUDA can say whether the device is lost
	CUDA(engine, cudaStreamSynchronize(place->stream), &lost);
	return -1;
}
