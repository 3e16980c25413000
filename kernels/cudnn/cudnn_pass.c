// Which convolution stands between which layers follows from lenet5_shapes: a full layer is a convolution whose filter is
// as large as its input. Between the convolutions stand the kernels of cudnn_parts.cu, and everything is in one stream.
#include "kernels/cudnn/cudnn_pass.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum lenet5_layer in, out;
	enum lenet5_parameter weight, bias;
} convs[CUDNN_N_CONVS] = {
	{ LENET5_INPUT, LENET5_C1, LENET5_C1_WEIGHT, LENET5_C1_BIAS },
	{ LENET5_S2, LENET5_C3, LENET5_C3_WEIGHT, LENET5_C3_BIAS },
	{ LENET5_S4, LENET5_C5, LENET5_C5_WEIGHT, LENET5_C5_BIAS },
	{ LENET5_C5, LENET5_F6, LENET5_F6_WEIGHT, LENET5_F6_BIAS },
	{ LENET5_F6, LENET5_OUTPUT, LENET5_OUTPUT_WEIGHT, LENET5_OUTPUT_BIAS },
};

// What the layers that pool read beside the maps below them; a max-pooling has no parameters of its own.
static const struct {
	enum lenet5_parameter x_bias, weight, bias;
} pools[LENET5_N_LAYERS] = {
	[LENET5_S2] = { LENET5_C1_BIAS, LENET5_S2_WEIGHT, LENET5_S2_BIAS },
	[LENET5_S4] = { LENET5_C3_BIAS, LENET5_S4_WEIGHT, LENET5_S4_BIAS },
};

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
	return err_set(e, "cuDNN has no network %s here: --kernels own has", net->name);
}

// The last convolution is that of logits.
static int n_convs(const struct lenet5 *net)
{
	return net->output == LENET5_LOGITS ? CUDNN_N_CONVS : CUDNN_N_CONVS - 1;
}

size_t cudnn_offset(const struct lenet5 *net, enum lenet5_parameter parameter)
{
	const struct lenet5_tensor *tensor = net->tensors;
	while (tensor->parameter != parameter) {
		tensor++;
		assert(tensor < net->tensors + net->n_tensors);
	}
	return tensor->offset;
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

// Of a parameter that each of the layer's maps has one of. x: its factor, (n, …) as the layer, or NULL.
static struct cudnn_map_gradient map_gradient(const struct cudnn_place *p, enum lenet5_layer layer, const float *x,
					      enum lenet5_parameter parameter)
{
	const struct lenet5_shape *shape = &lenet5_shapes[layer];
	return (struct cudnn_map_gradient){ p->dmaps[layer], x, p->gradient + cudnn_offset(p->net, parameter), shape->maps,
					    shape->height * shape->width };
}

static struct cudnn_map_gradients map_gradients_of(const struct cudnn_place *p, int n)
{
	struct cudnn_map_gradients g = { .n = n, .sums = p->map_sums };
	for (int i = 0; i < n_convs(p->net); i++)
		g.gradients[g.n_gradients++] = map_gradient(p, convs[i].out, NULL, convs[i].bias);
	for (int layer = LENET5_S2; layer <= LENET5_S4; layer++)
		if (p->sums[layer]) {
			g.gradients[g.n_gradients++] = map_gradient(p, layer, p->sums[layer], pools[layer].weight);
			g.gradients[g.n_gradients++] = map_gradient(p, layer, NULL, pools[layer].bias);
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

// Convolution i of all passes.
static int plan(const struct cudnn_place *place, enum cudnn_direction direction, int i, int n_passes, struct cudnn_pass *passes,
		struct err *e)
{
	const struct lenet5_shape *in = &lenet5_shapes[convs[i].in], *out = &lenet5_shapes[convs[i].out];
	struct cudnn_shape shapes[CUDNN_MAX_SHAPES] = { { 0 } };
	struct cudnn_conv planned[CUDNN_MAX_SHAPES];
	for (int p = 0; p < n_passes; p++)
		shapes[p] = (struct cudnn_shape){ passes[p].n, in->maps, in->height, out->maps, out->height };
	if (cudnn_conv_plan(&place->session, direction, shapes, n_passes, planned, e))
		return -1;
	for (int p = 0; p < n_passes; p++)
		passes[p].convs[direction][i] = planned[p];
	return 0;
}

static int alloc_workspace(const struct cudnn_place *place, struct cudnn_pass *pass, struct err *e)
{
	size_t bytes = 0;
	for (int d = CUDNN_CONV_FORWARD; d <= CUDNN_CONV_FILTER; d++)
		for (int i = 0; i < CUDNN_N_CONVS; i++)
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
		for (int i = 0; i < (training ? n_convs(place->net) : CUDNN_N_CONVS); i++) {
			if (d == CUDNN_CONV_DATA && convs[i].in == LENET5_INPUT)
				continue; // the picture's gradient is of no use
			if (plan(place, d, i, n_passes, passes, e))
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
		for (int i = 0; i < CUDNN_N_CONVS; i++)
			cudnn_conv_free(&place->session, &pass->convs[d][i]);
	cudaFree(pass->workspace);
	*pass = (struct cudnn_pass){ 0 };
}

static const float *param(const struct cudnn_place *p, enum lenet5_parameter parameter)
{
	return p->model->params + cudnn_offset(p->net, parameter);
}

static int convolve(const struct cudnn_place *p, const struct cudnn_pass *pass, enum cudnn_direction direction, int i,
		    struct err *e)
{
	const float *x = direction == CUDNN_CONV_DATA ? p->dmaps[convs[i].in] : p->maps[convs[i].in];
	const float *w = direction == CUDNN_CONV_FILTER ? p->gradient : p->model->params;
	const float *y = direction == CUDNN_CONV_FORWARD ? p->maps[convs[i].out] : p->dmaps[convs[i].out];
	return cudnn_conv_run(&p->session, &pass->convs[direction][i], x, w + cudnn_offset(p->net, convs[i].weight), y,
			      pass->workspace, e);
}

static int max_pool(const struct cudnn_place *p, int n, enum lenet5_layer layer, struct err *e)
{
	const struct lenet5_shape *shape = &lenet5_shapes[layer];
	const struct cudnn_pool pool = {
		.network = &p->model->network,
		.layer = layer,
		.x = p->maps[layer - 1],
		.bias = param(p, pools[layer].x_bias),
		.y = p->maps[layer],
		.from = p->from[layer],
		.n = n,
		.maps = shape->maps,
		.side = shape->height,
	};
	return CUDA(p->engine, cudnn_pool_launch(&pool, p->stream), e);
}

static int subsample(const struct cudnn_place *p, int n, enum lenet5_layer layer, struct err *e)
{
	const struct lenet5_shape *shape = &lenet5_shapes[layer];
	const struct cudnn_subsample s = {
		.network = &p->model->network,
		.layer = layer,
		.x = p->maps[layer - 1],
		.x_bias = param(p, pools[layer].x_bias),
		.weight = param(p, pools[layer].weight),
		.bias = param(p, pools[layer].bias),
		.sums = p->sums[layer],
		.y = p->maps[layer],
		.n = n,
		.maps = shape->maps,
		.side = shape->height,
	};
	return CUDA(p->engine, cudnn_subsample_launch(&s, p->stream), e);
}

static int pool(const struct cudnn_place *p, int n, enum lenet5_layer layer, struct err *e)
{
	return p->net->pooling == LENET5_MAX ? max_pool(p, n, layer, e) : subsample(p, n, layer, e);
}

// y may be the layer's maps themselves.
static int add_bias(const struct cudnn_place *p, int n, enum lenet5_layer layer, enum lenet5_parameter bias, float *y,
		    struct err *e)
{
	const struct cudnn_bias b = {
		.network = &p->model->network,
		.layer = layer,
		.x = p->maps[layer],
		.bias = param(p, bias),
		.y = y,
		.n = n,
		.maps = lenet5_shapes[layer].maps,
		.area = 1,
	};
	return CUDA(p->engine, cudnn_bias_launch(&b, p->stream), e);
}

int cudnn_pass_forward(const struct cudnn_place *p, const struct cudnn_pass *pass, struct err *e)
{
	int n = pass->n;
	if (convolve(p, pass, CUDNN_CONV_FORWARD, 0, e) || pool(p, n, LENET5_S2, e) ||
	    convolve(p, pass, CUDNN_CONV_FORWARD, 1, e) || pool(p, n, LENET5_S4, e) ||
	    convolve(p, pass, CUDNN_CONV_FORWARD, 2, e) || add_bias(p, n, LENET5_C5, LENET5_C5_BIAS, p->maps[LENET5_C5], e) ||
	    convolve(p, pass, CUDNN_CONV_FORWARD, 3, e) || add_bias(p, n, LENET5_F6, LENET5_F6_BIAS, p->maps[LENET5_F6], e))
		return -1;
	return p->net->output == LENET5_LOGITS ? convolve(p, pass, CUDNN_CONV_FORWARD, 4, e) : 0;
}

int cudnn_pass_scores(const struct cudnn_place *p, int n, float *scores, struct err *e)
{
	if (p->net->output == LENET5_LOGITS)
		return add_bias(p, n, LENET5_OUTPUT, LENET5_OUTPUT_BIAS, scores, e);
	const struct cudnn_rbf rbf = { p->maps[LENET5_F6], param(p, LENET5_OUTPUT_WEIGHT), scores, n };
	return CUDA(p->engine, cudnn_rbf_launch(&rbf, p->stream), e);
}

// Both gradients of convolution i, of its filter and of what it read.
static int back_through(const struct cudnn_place *p, const struct cudnn_pass *pass, int i, struct err *e)
{
	return convolve(p, pass, CUDNN_CONV_FILTER, i, e) ||
	       (convs[i].in != LENET5_INPUT && convolve(p, pass, CUDNN_CONV_DATA, i, e));
}

static int derive(const struct cudnn_place *p, int n, enum lenet5_layer layer, struct err *e)
{
	const struct cudnn_derive d = {
		.network = &p->model->network,
		.layer = layer,
		.y = p->maps[layer],
		.d = p->dmaps[layer],
		.count = n * (int)layer_size(layer),
	};
	if (p->net->activation[layer] == LENET5_IDENTITY)
		return 0;
	return CUDA(p->engine, cudnn_derive_launch(&d, p->stream), e);
}

static int back_through_output(const struct cudnn_place *p, const struct cudnn_pass *pass, struct err *e)
{
	if (p->net->output == LENET5_LOGITS)
		return back_through(p, pass, 4, e);
	const struct cudnn_unrbf u = { p->maps[LENET5_F6], param(p, LENET5_OUTPUT_WEIGHT), p->dmaps[LENET5_OUTPUT],
				       p->dmaps[LENET5_F6], pass->n };
	return CUDA(p->engine, cudnn_unrbf_launch(&u, p->stream), e);
}

static int max_unpool(const struct cudnn_place *p, int n, enum lenet5_layer layer, struct err *e)
{
	const struct lenet5_shape *shape = &lenet5_shapes[layer];
	const struct cudnn_unpool u = {
		.network = &p->model->network,
		.layer = layer,
		.y = p->maps[layer],
		.dy = p->dmaps[layer],
		.from = p->from[layer],
		.dx = p->dmaps[layer - 1],
		.n = n,
		.maps = shape->maps,
		.side = shape->height,
	};
	return CUDA(p->engine, cudnn_unpool_launch(&u, p->stream), e);
}

static int unsample(const struct cudnn_place *p, int n, enum lenet5_layer layer, struct err *e)
{
	const struct lenet5_shape *shape = &lenet5_shapes[layer];
	const struct cudnn_unsample u = {
		.network = &p->model->network,
		.layer = layer,
		.x = p->maps[layer - 1],
		.y = p->maps[layer],
		.weight = param(p, pools[layer].weight),
		.dy = p->dmaps[layer],
		.dx = p->dmaps[layer - 1],
		.n = n,
		.maps = shape->maps,
		.side = shape->height,
	};
	return CUDA(p->engine, cudnn_unsample_launch(&u, p->stream), e);
}

static int unpool(const struct cudnn_place *p, int n, enum lenet5_layer layer, struct err *e)
{
	return p->net->pooling == LENET5_MAX ? max_unpool(p, n, layer, e) : unsample(p, n, layer, e);
}

static int map_gradients(const struct cudnn_place *p, int n, struct err *e)
{
	const struct cudnn_map_gradients g = map_gradients_of(p, n);
	return CUDA(p->engine, cudnn_map_gradients_launch(&g, p->stream), e);
}

int cudnn_pass_backward(const struct cudnn_place *p, const struct cudnn_pass *pass, struct err *e)
{
	int n = pass->n;
	if (back_through_output(p, pass, e) || derive(p, n, LENET5_F6, e) || back_through(p, pass, 3, e) ||
	    derive(p, n, LENET5_C5, e) || back_through(p, pass, 2, e) || unpool(p, n, LENET5_S4, e) ||
	    back_through(p, pass, 1, e) || unpool(p, n, LENET5_S2, e) || back_through(p, pass, 0, e) || map_gradients(p, n, e))
		return -1;
	return 0;
}

static int capture(const struct cudnn_place *place, struct cudnn_pass *pass,
		   int (*put)(void *context, struct cudnn_pass *pass, struct err *e), void *context, struct err *e)
{
	struct engine *engine = place->engine;
	cudaGraph_t graph = NULL;
	struct err end;
	if (CUDA(engine, cudaStreamBeginCapture(place->stream, cudaStreamCaptureModeThreadLocal), e))
		return -1;
	int failed = put(context, pass, e);
	// the capture ends whatever happened in it
	if (CUDA(engine, cudaStreamEndCapture(place->stream, &graph), failed ? &end : e))
		failed = -1;
	if (!failed)
		failed = CUDA(engine, cudaGraphInstantiate(&pass->graphs[place->net->pooling], graph, 0), e);
	if (graph)
		cudaGraphDestroy(graph);
	return failed;
}

int cudnn_pass_capture(const struct cudnn_place *place, struct cudnn_pass *pass,
		       int (*put)(void *context, struct cudnn_pass *pass, struct err *e), void *context, struct err *e)
{
	struct engine *engine = place->engine;
	struct err lost;
	if (put(context, pass, e) == 0 && CUDA(engine, cudaStreamSynchronize(place->stream), e) == 0 &&
	    capture(place, pass, put, context, e) == 0)
		return 0;
	// if it was cuDNN that failed, only CUDA can say whether the device is lost
	CUDA(engine, cudaStreamSynchronize(place->stream), &lost);
	return -1;
}
