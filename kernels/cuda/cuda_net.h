// cuda_net: between the GPU engine's host code (cuda*.c) and its kernels (cuda*.cu): the layouts in device memory, and the
// launches. Weights are in the order in which the threads of a block want them side by side; padding is zero.
#pragma once

#include "core/engine.h"

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	CUDA_TAPS = 28, // 25 and padding, so that a filter is seven loads of 16 bytes
	CUDA_SCORES = 12, // 10 and padding
};

// All parameters, or their momentum or gradient.
struct cuda_params {
	float c1_weight[LENET5_MAPS1][CUDA_TAPS]; // [map][tap]
	float c1_bias[8];
	float s2_weight[8], s2_bias[8]; // of subsampling, as are S4's; 0 where the pooling has none
	float c3_weight[LENET5_MAPS1][LENET5_MAPS3][CUDA_TAPS]; // [in][out][tap]
	float c3_bias[LENET5_MAPS3];
	float s4_weight[LENET5_MAPS3], s4_bias[LENET5_MAPS3];
	float c5_weight[LENET5_N_S4][LENET5_N_C5]; // [in][out]
	float c5_bias[LENET5_N_C5];
	float f6_weight[LENET5_N_C5][LENET5_N_F6];
	float f6_bias[LENET5_N_F6];
	float output_weight[LENET5_N_F6][CUDA_SCORES]; // or centres
	float output_bias[CUDA_SCORES];
};

// From and to lenet.bin's order (net->tensors).
void cuda_pack(const struct lenet5 *net, const float *params, struct cuda_params *packed);
void cuda_unpack(const struct lenet5 *net, const struct cuda_params *packed, float *params);
struct cuda_turned;
void cuda_turn(const struct cuda_params *packed, struct cuda_turned *turned);

// The network as a kernel gets it.
struct cuda_network {
	const struct cuda_params *params; // on the device
	float mean, scale; // input = (ink − mean)·scale
	bool published; // 1998: squashed throughout, subsampling, penalties; else max-pooling, logits, and these activations:
	enum lenet5_activation s2, s4, f6;
	uint8_t c3_links[LENET5_MAPS3]; // as in struct lenet5
};
struct cuda_network cuda_network_of(const struct engine_network *network, const struct cuda_params *params);

// One forward pass. Pointers are the device's; pixels, ink, scores, trace and finished may be page-locked host memory.
struct cuda_forward {
	struct cuda_network network;
	const uint8_t *pixels; // (n, 28, 28), or NULL:
	const float *ink; // (n, 28, 28)
	float *scores; // (n, 10)
	int n;
	struct engine_trace *trace; // of the only picture, or NULL
	// The last block to end sets *finished to `ticket`, when all scores can be seen by the host. *n_ended is 0 in between.
	unsigned *n_ended;
	volatile unsigned *finished;
	unsigned ticket;
	// (10), page-locked host memory, or NULL. Only for n = 1, without a trace: the kernel writes score i to the low half of
	// word i and `ticket` to the high half, and leaves `scores` and `finished` alone.
	volatile uint64_t *stamped;
};

// Once for each device in use, before its first launch.
cudaError_t cuda_forward_prepare(void);

// pictures_a_block: 1, 2 or 4, and 1 where `stamped` is given. The bits are the same.
cudaError_t cuda_forward_launch(const struct cuda_forward *forward, int pictures_a_block, cudaStream_t stream);

// The number of pictures a block with which n pictures should end soonest.
int cuda_pictures_a_block(int n, int n_multiprocessors);

// Training. A step is two launches: `learn`, a block a picture, forward and backward; `update`, a thread a parameter.

// The weights once more, as the way back wants them; of fixed centres, too.
struct cuda_turned {
	float c3_weight[LENET5_MAPS1][LENET5_MAPS3][CUDA_TAPS]; // [in][out][24 − tap]
	float c5_weight[LENET5_N_C5][LENET5_N_S4]; // [out][in]
	float f6_weight[LENET5_N_F6][LENET5_N_C5];
	float output_weight[LENET5_DIGITS][LENET5_N_F6];
};

// What a picture of a step leaves for the update; d…: the gradient of the step's mean loss. The gradients of the
// convolutions are the first fields of struct cuda_params.
struct cuda_features {
	float s4[LENET5_N_S4], c5[LENET5_N_C5], f6[LENET5_N_F6];
	float dc5[LENET5_N_C5], df6[LENET5_N_F6], dscores[CUDA_SCORES];
	float c1_weight[LENET5_MAPS1][CUDA_TAPS], c1_bias[8], s2_weight[8], s2_bias[8];
	float c3_weight[LENET5_MAPS1][LENET5_MAPS3][CUDA_TAPS], c3_bias[LENET5_MAPS3], s4_weight[LENET5_MAPS3],
		s4_bias[LENET5_MAPS3];
	double loss;
};
enum { CUDA_N_CONV = LENET5_MAPS1 * CUDA_TAPS + 8 + 8 + 8 + LENET5_MAPS1 * LENET5_MAPS3 * CUDA_TAPS + 3 * LENET5_MAPS3 };

// The steps of one call, in device memory, so that a captured graph finds its place by itself. `learn` of step s finds s in
// next and leaves it in current; `update` finds it in current and leaves s + 1 in next. Past the last step both do nothing.
struct cuda_steps {
	const uint8_t *pixels, *labels; // (pictures, 28, 28), (pictures)
	const uint32_t *order; // (n)
	const float *rates; // (steps)
	float *losses; // (steps)
	uint32_t n, next, current;
};

struct cuda_training {
	struct cuda_network network; // its params are those below
	struct cuda_params *params, *momentum;
	struct cuda_turned *turned;
	struct cuda_features *features; // (batch), zeroed before the first step
	struct cuda_steps *steps;
	uint32_t batch;
	float momentum_rate, weight_decay, label_smoothing;
	enum engine_loss loss;
	float j;
};

cudaError_t cuda_train_prepare(void);
cudaError_t cuda_1998_prepare(void);

// `learn` of network 1998, for cuda_train_launch.
cudaError_t cuda_1998_learn_launch(const struct cuda_training *training, cudaStream_t stream);

// Both launches of one step.
cudaError_t cuda_train_launch(const struct cuda_training *training, cudaStream_t stream);

// FLOP/s of multiply-adds on the whole device, over about a tenth of a second.
cudaError_t cuda_peak(int n_multiprocessors, cudaStream_t stream, double *flops);

#ifdef __cplusplus
}
#endif
