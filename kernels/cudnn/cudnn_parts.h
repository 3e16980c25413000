// cudnn_parts: our own kernels of the cuDNN engine, for operations that cuDNN lacks or whose separate launch would cost more than the
// work. Maps are (n, maps, y, x), as cuDNN has them. Each function puts a launch into the stream, or two. Pointers are the
// device's; those to pictures and scores may be page-locked memory of the host. Sums are in a fixed order.
//
// Kernels read from device memory what changes with the model or the step, so that a captured graph stays valid.
#pragma once

#include "core/engine.h"

#include <cuda_runtime_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cudnn_network {
	float mean, scale; // input = (ink − mean)·scale
	enum lenet5_activation activation[LENET5_N_LAYERS];
};

// The steps of one call of the trainer. `step` and `rate` are the step's in hand: the loss kernel, the only one of one
// block, moves them on.
struct cudnn_steps {
	const uint8_t *pixels, *labels; // (pictures, 28, 28), (pictures)
	const uint32_t *order; // the steps' pictures, one step after the other
	const float *rates; // (steps)
	float *losses; // (steps)
	uint32_t step; // from 0
	float rate;
};

// x (n, 32, 32) from pictures of 28×28: those of a context, or, in training, the pixels of the step's pictures, of which a
// step has `batch` and this one n.
struct cudnn_input {
	const struct cudnn_network *network;
	const struct cudnn_steps *steps; // or NULL:
	const void *pictures; // (n, 28, 28), aligned to 16 bytes: uint8_t pixels, or float ink
	const bool *are_pixels;
	int batch, n;
	float *x;
};
cudaError_t cudnn_input_launch(const struct cudnn_input *input, cudaStream_t stream);

// One layer of a network for n pictures, and the layer below it: what the kernels in enum cudnn_part read and write. A kernel
// leaves alone what its comment does not name; those fields may be NULL.
struct cudnn_layer {
	const struct cudnn_network *network;
	enum lenet5_layer layer;
	int n, maps, side;
	float *x, *y; // outputs of the layer below and of this one: y (n, maps, side, side)
	const float *x_bias, *weight, *bias; // (maps) each, but the weight of penalties: the centres (10, 84)
	uint8_t *from; // (n, maps, side, side)
	float *sums; // (n, maps, side, side)
	float *dx, *dy; // gradients, (…) as x and y
};

enum cudnn_part {
	// y = activation(max of 2×2 of x (n, maps, 2·side, 2·side) + x_bias). from, if not NULL: which of the four it was.
	CUDNN_POOL,
	// The same for subsampling: x becomes activation(x + x_bias), that of the layer below; sums, if not NULL, its windows of
	// 2×2 added up; y = activation(sums·weight + bias).
	CUDNN_SUBSAMPLE,
	CUDNN_BIAS, // y = activation(x + bias), where x is (…) as y and may be y
	CUDNN_PENALTIES, // y (n, 10): the squared distances of x (n, 84) from the centres
	CUDNN_PENALTIES_BACK, // dx (n, 84) from dy (n, 10), x and the centres
	CUDNN_DERIVE, // dy becomes the gradient before the activation whose values are y
	CUDNN_POOL_BACK, // dx from dy, y and from
	CUDNN_SUBSAMPLE_BACK, // dy becomes the gradient before y's activation, dx that before x's
};
cudaError_t cudnn_part_launch(enum cudnn_part part, const struct cudnn_layer *layer, cudaStream_t stream);

// The step's mean loss, and d (n, 10), its gradient: cross-entropy of the softmax of x + bias, or, where bias is NULL, one of
// the losses of penalties x.
struct cudnn_loss {
	struct cudnn_steps *steps;
	enum engine_loss loss;
	const float *x, *bias; // (n, 10), (10)
	float *d;
	float smoothing, j; // struct engine_training says of which loss
	int batch, n;
};
cudaError_t cudnn_loss_launch(const struct cudnn_loss *loss, cudaStream_t stream);

// The parameters that a map has one of: dp (maps) = d (n, maps, area) summed, or d·x, x like d, where x is not NULL. Some pictures
// at a time are summed first, and then their sums; how many depends on the area alone.
enum { CUDNN_MAX_MAP_GRADIENTS = 8 };
struct cudnn_map_gradient {
	const float *d, *x;
	float *dp;
	int maps, area;
};
struct cudnn_map_gradients {
	int n, n_gradients;
	struct cudnn_map_gradient gradients[CUDNN_MAX_MAP_GRADIENTS];
	float *sums; // (cudnn_map_gradients_n_sums), for the launch's own use
};
size_t cudnn_map_gradients_n_sums(const struct cudnn_map_gradients *gradients);
cudaError_t cudnn_map_gradients_launch(const struct cudnn_map_gradients *gradients, cudaStream_t stream);

// v ← momentum_rate·v + g + weight_decay·p; p ← p − rate·v, for `count` parameters p, their momentum v and gradient g,
// which is 0 for a weight of a link of C3 that is not there.
struct cudnn_update {
	const struct cudnn_steps *steps;
	float *params, *momentum;
	const float *gradient;
	float momentum_rate, weight_decay;
	int count;
	size_t c3_weight; // where (16, 6, 5, 5) of them begin
	uint8_t c3_links[16]; // as in struct lenet5
};
cudaError_t cudnn_update_launch(const struct cudnn_update *update, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
