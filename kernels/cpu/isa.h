// isa: the interface between the CPU engine (cpu.c, cpu_trainer.c) and its arithmetic (isa_*.c, compiled once for each instruction
// set): the layouts in memory and the table of functions. Rows are padded to whole vectors of 16 floats; padding lanes of weights
// are zero, those of activations hold anything finite.
#pragma once

#include "core/engine.h"

#include <stdint.h>

enum {
	N_MAPS1 = LENET5_MAPS1, // of C1 and S2
	N_MAPS3 = LENET5_MAPS3, // of C3 and S4
	N_TAPS = LENET5_TAPS,
	N_S4 = LENET5_N_S4, // inputs of C5: pixel·16 + map, other than in lenet.bin, where it is map·25 + pixel
	N_C5 = LENET5_N_C5,
	N_F6 = LENET5_N_F6,
	C5_STRIDE = 128,
	F6_STRIDE = 96,
	SCORES_STRIDE = 16,
	GROUP = 4, // pictures that share one pass over the weights of the full layers
	MAX_CHUNK = 8, // pictures of one work item in training
	C3_ROW = 48, // of the gradient of C3: (5 x, 8 maps) and padding
	C1_POINTS = 8,
	C3_POINTS = 9, // at which a filter's columns are taken: see isa_winograd.h
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
	float output_weight[N_F6][SCORES_STRIDE]; // or the centres
	float output_bias[SCORES_STRIDE];
	float s2_weight[16], s2_bias[16], s4_weight[N_MAPS3], s4_bias[N_MAPS3]; // of subsampling
} __attribute__((aligned(64)));

// The columns of the filters, at the points of isa_winograd.h.
struct isa_winograd {
	float c1_weight[C1_POINTS][5][8]; // [point][kx][map], and padding
	float c3_weight[C3_POINTS][N_MAPS1][5][N_MAPS3]; // [point][in][kx][out]
} __attribute__((aligned(64)));

struct isa_network {
	const struct lenet5 *net;
	float mean, scale; // input = (ink − mean)·scale
	const struct isa_params *params;
	const struct isa_winograd *winograd; // of these params; NULL in training
};

// The same weights turned round, for the gradients of the inputs.
struct isa_transposed {
	float c3_weight[N_MAPS3][5][C3_ROW]; // [out][ky][kx·8 + in]
	float c5_weight[N_C5][N_S4];
	float f6_weight[N_F6][C5_STRIDE];
	float output_weight[LENET5_DIGITS][F6_STRIDE];
} __attribute__((aligned(64)));

// Gradients below C5, summed over a chunk of pictures: of max-pooling networks,
struct isa_conv_gradient {
	float c1_weight[N_MAPS1][5][8];
	float c1_bias[16];
	float c3_weight[N_MAPS3][5][C3_ROW];
	float c3_bias[N_MAPS3];
} __attribute__((aligned(64)));

// and of 1998, where those of C1 and S2 are still apart by the column of S2 they came through.
struct isa_1998_gradient {
	float c1_weight[N_MAPS1][N_TAPS][16], c1_bias[N_MAPS1][16];
	float s2_weight[N_MAPS1][16], s2_bias[N_MAPS1][16];
	float c3_weight[N_MAPS1][N_TAPS][N_MAPS3], c3_bias[N_MAPS3];
	float s4_weight[N_MAPS3], s4_bias[N_MAPS3];
} __attribute__((aligned(64)));

union isa_gradient {
	struct isa_conv_gradient conv;
	struct isa_1998_gradient of_1998;
};

// What one picture of a batch leaves behind for the gradients of the full layers; d…: gradient of the batch's mean loss. 1998
// trains no output layer: its dscores are the penalties.
struct isa_features {
	float s4[N_S4], c5[C5_STRIDE], f6[F6_STRIDE];
	float dscores[SCORES_STRIDE], df6[F6_STRIDE], dc5[C5_STRIDE];
} __attribute__((aligned(64)));

// Some pictures to learn from.
struct isa_lesson {
	const uint8_t *const *pixels; // (n) pictures, (28, 28) each
	const float (*targets)[16]; // (n)
	int n; // ≤ MAX_CHUNK
	int batch; // gradients are of the sum of the losses divided by this
	enum engine_loss loss;
	float j;
};

struct isa_sgd {
	const struct lenet5 *net; // whose links there are
	float rate, momentum, weight_decay;
	const struct isa_params *scale; // of each parameter's rate, or NULL; of 1998 alone
};

// The parts into which the update of the parameters is cut, so that threads can share it: 25 of C5, 8 of F6, the rest.
enum { UPDATE_C5 = 25, UPDATE_F6 = 8, N_UPDATES = UPDATE_C5 + UPDATE_F6 + 1 };

// The arithmetic of one kind of network.
struct isa_functions {
	// ink (n, 28, 28) → scores (n, 10), n ≤ GROUP
	void (*forward)(const struct isa_network *, const float *ink, int n, float *scores);
	void (*trace)(const struct isa_network *, const float *ink, struct engine_trace *);
	// Forward, loss and backward. Writes features (n), gradient and losses (n).
	void (*learn)(const struct isa_network *, const struct isa_transposed *, const struct isa_lesson *,
		      struct isa_features *features, union isa_gradient *gradient, double *losses);
	// Part `part` of one step of gradient descent from features (n) and gradients (n_gradients); touches no other part's
	// parameters.
	void (*update)(int part, const struct isa_features *features, int n, const union isa_gradient *gradients, int n_gradients,
		       const struct isa_sgd *, struct isa_params *params, struct isa_params *momentum, struct isa_transposed *);
	// As learn, but second derivatives in the places of gradients. squares, turned_squares: of every weight. NULL: unknown.
	void (*curve)(const struct isa_network *, const struct isa_transposed *, const struct isa_params *squares,
		      const struct isa_transposed *turned_squares, const struct isa_lesson *, struct isa_features *features,
		      union isa_gradient *gradient);
};

// The arithmetic of one instruction set. Each function is in kernels/isa_*.c under its own name and the set's.
struct isa {
	const char *name, *title;
	struct isa_functions max_pooling, of_1998;
	double (*peak)(double seconds); // FLOP/s of one thread in multiply-adds
};

static inline const struct isa_functions *isa_for(const struct isa *isa, const struct lenet5 *net)
{
	return net->pooling == LENET5_MAX ? &isa->max_pooling : &isa->of_1998;
}

// The functions of a set are isa_forward_avx2, isa_1998_forward_avx2 and so on; kernels/isa_*.c define them for the ISA that the
// Makefile names.
#define ISA_DECLARE_FUNCTIONS(kind, set)                                                                                           \
	void kind##_forward_##set(const struct isa_network *, const float *ink, int n, float *scores);                             \
	void kind##_trace_##set(const struct isa_network *, const float *ink, struct engine_trace *);                              \
	void kind##_learn_##set(const struct isa_network *, const struct isa_transposed *, const struct isa_lesson *,              \
				struct isa_features *features, union isa_gradient *gradient, double *losses);                      \
	void kind##_update_##set(int part, const struct isa_features *features, int n, const union isa_gradient *gradients,        \
				 int n_gradients, const struct isa_sgd *, struct isa_params *params, struct isa_params *momentum,  \
				 struct isa_transposed *);
#define ISA_DECLARE(set)                                                                                                           \
	ISA_DECLARE_FUNCTIONS(isa, set)                                                                                            \
	ISA_DECLARE_FUNCTIONS(isa_1998, set)                                                                                       \
	void isa_1998_curve_##set(const struct isa_network *, const struct isa_transposed *, const struct isa_params *squares,     \
				  const struct isa_transposed *turned_squares, const struct isa_lesson *,                          \
				  struct isa_features *features, union isa_gradient *gradient);                                    \
	double isa_peak_##set(double seconds);
ISA_DECLARE(portable)
ISA_DECLARE(avx2)
ISA_DECLARE(avx512)

#define ISA_PASTE(a, b) a##_##b
#define ISA_EXPAND(a, b) ISA_PASTE(a, b)
#define ISA_NAME(name) ISA_EXPAND(name, ISA)
