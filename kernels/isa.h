// isa: between the CPU engine (cpu.c, cpu_trainer.c) and its arithmetic (isa_*.c, compiled once an instruction set): the
// layouts in memory and the table of functions. Rows are padded to whole vectors of 16 floats; padding lanes of weights
// are zero, those of activations hold anything finite.
#pragma once

#include "core/engine.h"

#include <stdint.h>

enum {
	N_MAPS1 = 6, // of C1 and S2
	N_MAPS3 = 16, // of C3 and S4
	N_TAPS = 25,
	N_S4 = 400, // inputs of C5: pixel·16 + map, other than in lenet.bin, where it is map·25 + pixel
	N_C5 = 120, N_F6 = 84,
	C5_STRIDE = 128, F6_STRIDE = 96, SCORES_STRIDE = 16,
	GROUP = 4, // pictures that share one pass over the weights of the full layers
	MAX_CHUNK = 8, // pictures of one work item in training
	C3_ROW = 48, // of the gradient of C3: (5 x, 8 maps) and padding
};

// All parameters (or their momentum), as the forward pass wants them. 64-byte aligned.
struct isa_params {
	float c1_weight[N_MAPS1][5][8]; // [map][ky][kx]
	float c1_bias[16];
	float c3_weight[N_MAPS1][N_TAPS][N_MAPS3]; // [in][tap][out]
	float c3_bias[N_MAPS3];
	float c5_weight[N_S4][C5_STRIDE]; // [in][out]
	float c5_bias[C5_STRIDE];
	float f6_weight[N_C5][F6_STRIDE];
	float f6_bias[F6_STRIDE];
	float output_weight[N_F6][SCORES_STRIDE];
	float output_bias[SCORES_STRIDE];
} __attribute__((aligned(64)));

struct isa_network {
	const struct lenet5 *net;
	float mean, scale; // input = (ink − mean)·scale
	const struct isa_params *params;
};

// The same weights turned round, for the gradients of the inputs.
struct isa_transposed {
	float c3_weight[N_MAPS3][5][C3_ROW]; // [out][ky][kx·8 + in]
	float c5_weight[N_C5][N_S4];
	float f6_weight[N_F6][C5_STRIDE];
	float output_weight[LENET5_DIGITS][F6_STRIDE];
} __attribute__((aligned(64)));

// Gradients of the convolutions, summed over a chunk of pictures.
struct isa_conv_gradient {
	float c1_weight[N_MAPS1][5][8];
	float c1_bias[16];
	float c3_weight[N_MAPS3][5][C3_ROW];
	float c3_bias[N_MAPS3];
} __attribute__((aligned(64)));

// What one picture of a batch leaves behind for the gradients of the full layers; d…: gradient of the batch's mean loss.
struct isa_features {
	float s4[N_S4], c5[C5_STRIDE], f6[F6_STRIDE];
	float dscores[SCORES_STRIDE], df6[F6_STRIDE], dc5[C5_STRIDE];
} __attribute__((aligned(64)));

struct isa_sgd {
	float rate, momentum, weight_decay;
};

// The parts into which the update of the parameters is cut, so that threads can share it: 25 of C5, 8 of F6, the rest.
enum { UPDATE_C5 = 25, UPDATE_F6 = 8, N_UPDATES = UPDATE_C5 + UPDATE_F6 + 1 };

// The arithmetic of one instruction set. Each function is in kernels/isa_*.c under its own name and the set's.
struct isa {
	const char *name, *title;
	// ink (n, 28, 28) → scores (n, 10), n ≤ GROUP
	void (*forward)(const struct isa_network *, const float *ink, int n, float *scores);
	void (*trace)(const struct isa_network *, const float *ink, struct engine_trace *);
	// Forward, loss and backward of n ≤ MAX_CHUNK pictures, (28, 28) each; targets (n, 16); gradients are of the sum of the
	// losses divided by batch. Writes features (n), gradient and losses (n).
	void (*learn)(const struct isa_network *, const struct isa_transposed *, const uint8_t *const *pixels, const float (*targets)[16],
		      int n, int batch, struct isa_features *features, struct isa_conv_gradient *gradient, double *losses);
	// Part `part` of one step of gradient descent from features (n) and gradients (n_gradients); touches no other part's
	// parameters.
	void (*update)(int part, const struct isa_features *features, int n, const struct isa_conv_gradient *gradients, int n_gradients,
		       const struct isa_sgd *, struct isa_params *params, struct isa_params *momentum, struct isa_transposed *);
	double (*peak)(double seconds); // FLOP/s of one thread in multiply-adds
};

// The functions of a set are isa_forward_avx2 and so on; kernels/isa_*.c define them for the ISA that the Makefile names.
#define ISA_DECLARE(set)                                                                                             \
	void isa_forward_##set(const struct isa_network *, const float *ink, int n, float *scores);                  \
	void isa_trace_##set(const struct isa_network *, const float *ink, struct engine_trace *);                   \
	void isa_learn_##set(const struct isa_network *, const struct isa_transposed *, const uint8_t *const *pixels, \
			     const float (*targets)[16], int n, int batch, struct isa_features *features,            \
			     struct isa_conv_gradient *gradient, double *losses);                                    \
	void isa_update_##set(int part, const struct isa_features *features, int n,                                  \
			      const struct isa_conv_gradient *gradients, int n_gradients, const struct isa_sgd *,    \
			      struct isa_params *params, struct isa_params *momentum, struct isa_transposed *);      \
	double isa_peak_##set(double seconds);
ISA_DECLARE(portable)
ISA_DECLARE(avx2)
ISA_DECLARE(avx512)

#define ISA_PASTE(a, b) a##_##b
#define ISA_EXPAND(a, b) ISA_PASTE(a, b)
#define ISA_NAME(name) ISA_EXPAND(name, ISA)
