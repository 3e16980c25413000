// isa_layers: what inference (isa_forward.c, isa_1998_forward.c) and training (isa_train.c, isa_1998_train.c) share of the forward pass:
// the input, pooling and the full layers, as inline functions. C1 and C3 are in isa_winograd.h for inference and in isa_direct.h
// for training.
//
// Each output is made of chains of fused multiply-adds that take their inputs in a fixed order: a full layer's is one, which starts at
// the bias; C1's and C3's in inference are combined from a few. Vectors run across outputs, never along a sum; blocks only
// decide which chains are in registers together. So a picture's result does not depend on what is computed beside it.
//
//   C1+S2  lanes are columns. Even and odd columns of the input are stored apart, so that the two columns of a pooling
//          window are two vectors and the maximum needs no shuffle.
//   C3+S4  lanes are the 16 maps: a value of S2 is broadcast and multiplied with a vector of weights.
//   full   lanes are units; GROUP pictures share each load of the weights.
#pragma once

#include "kernels/cpu/isa.h"
#include "kernels/cpu/simd.h"

#include <stdbool.h>
#include <string.h>

// How much fits the registers: vectors of a full layer for p pictures.
#if defined __AVX512F__
#define C5_BLOCK(p) ((p) == 4 ? 4 : 8)
#define F6_BLOCK(p) 6
#define S4_BLOCK(p) 5
#else
#define C5_BLOCK(p) ((p) == 1 ? 8 : (p) == 2 ? 4 : 2)
#define F6_BLOCK(p) ((p) == 1 ? 6 : (p) == 2 ? 4 : 2)
#define S4_BLOCK(p) ((p) == 1 ? 10 : 2)
#endif
enum { SCORES_BLOCK = SCORES_STRIDE / VF_LANES };

// What the convolutions of one picture produce on the way. Columns 14 and 15 of s2 hold anything finite.
struct isa_maps {
	float input[LENET5_PADDED * 32 + 16]; // (row, even or odd columns, column/2); vectors read past the last row
	float s2[N_MAPS1][14][16]; // [map][y][x]
} __attribute__((aligned(64)));

ALWAYS_INLINE vf activate(enum lenet5_activation activation, vf x)
{
	switch (activation) {
	case LENET5_IDENTITY:
		break;
	case LENET5_SIGMOID:
		return vf_sigmoid(x);
	case LENET5_RELU:
		return vf_max(x, vf_set1(0.0f));
	case LENET5_TANH:
		return vf_tanh(x);
	case LENET5_SQUASH:
		return vf_set1(LENET5_SQUASH_LIMIT) * vf_tanh(vf_set1(2.0f / 3) * x);
	}
	return x;
}

ALWAYS_INLINE vf pool(const vf window[4])
{
	return vf_max(window[3], vf_max(window[2], vf_max(window[1], window[0])));
}

ALWAYS_INLINE float normalised(const struct isa_network *n, float ink)
{
	return (ink - n->mean) * n->scale;
}

// The input layer with its frame, as struct isa_maps wants it.
static inline void lay_out_input(const struct isa_network *n, const float *ink, float *input)
{
	float frame = normalised(n, 0.0f);
	for (int i = 0; i < 2 * 32; i++)
		input[i] = input[30 * 32 + i] = frame;
	for (int y = 0; y < LENET5_SIDE; y++) {
		float *even = &input[(y + 2) * 32], *odd = even + 16;
		even[0] = even[15] = odd[0] = odd[15] = frame;
		for (int x = 0; x < LENET5_SIDE / 2; x++) {
			even[x + 1] = normalised(n, ink[y * LENET5_SIDE + 2 * x]);
			odd[x + 1] = normalised(n, ink[y * LENET5_SIDE + 2 * x + 1]);
		}
	}
	for (int i = 0; i < 16; i++)
		input[32 * 32 + i] = 0;
}

// All pixels of C1 and C3, before their activations. Lanes 14 and 15 of C1 hold anything finite.
struct isa_pixels {
	float c1[N_MAPS1][28][2][16]; // [map][y][even or odd columns][column/2]
	float c3[100][N_MAPS3]; // [pixel][map]
} __attribute__((aligned(64)));

// A picture's way through the full layers in inference; s4 (25, 16); of 1998 the scores are penalties.
struct isa_row {
	float s4[N_S4], c5[C5_STRIDE], f6[F6_STRIDE], scores[SCORES_STRIDE];
} __attribute__((aligned(64)));
enum { ROW_STRIDE = sizeof(struct isa_row) / sizeof(float) };

// What a look inside shows.
static inline void write_trace(const float *input, const struct isa_pixels *pixels, const float s2[N_MAPS1][14][16],
			       const struct isa_row *row, struct engine_trace *t)
{
	for (int i = 0; i < 32 * 32; i++)
		t->input[i] = input[i / 32 * 32 + i % 2 * 16 + i % 32 / 2];
	for (int map = 0; map < N_MAPS1; map++) {
		for (int i = 0; i < 28 * 28; i++)
			t->c1[map * 28 * 28 + i] = pixels->c1[map][i / 28][i % 2][i % 28 / 2];
		for (int i = 0; i < 14 * 14; i++)
			t->s2[map * 14 * 14 + i] = s2[map][i / 14][i % 14];
	}
	for (int map = 0; map < N_MAPS3; map++) {
		for (int i = 0; i < 100; i++)
			t->c3[map * 100 + i] = pixels->c3[i][map];
		for (int i = 0; i < 25; i++)
			t->s4[map * 25 + i] = row->s4[i * N_MAPS3 + map];
	}
	memcpy(t->c5, row->c5, sizeof t->c5);
	memcpy(t->f6, row->f6, sizeof t->f6);
	memcpy(t->output, row->scores, sizeof t->output);
}

// A full layer for `pictures` pictures, `block` vectors of units at once; both are constants after inlining.
// out[p][unit] = activation(bias[unit] + Σ_i in[p][i]·weight[i][unit]); bias NULL is 0. Strides in floats.
ALWAYS_INLINE void full_block(const float *weight, int width, const float *bias, const float *in, size_t in_stride, int n_in,
			      float *out, size_t out_stride, const int pictures, const int block)
{
	for (int unit = 0; unit < width; unit += block * VF_LANES) {
		vf sums[GROUP][10];
		UNROLLED(4, p, pictures)
			UNROLLED(10, v, block)
				sums[p][v] = bias ? vf_load(&bias[unit + v * VF_LANES]) : vf_set1(0.0f);
		for (int i = 0; i < n_in; i++) {
			vf weights[10];
			UNROLLED(10, v, block)
				weights[v] = vf_load(&weight[i * width + unit + v * VF_LANES]);
			UNROLLED(4, p, pictures) {
				vf x = vf_set1(in[(size_t)p * in_stride + (size_t)i]);
				UNROLLED(10, v, block)
					sums[p][v] = vf_fma(x, weights[v], sums[p][v]);
			}
		}
		UNROLLED(4, p, pictures)
			UNROLLED(10, v, block)
				vf_store(&out[(size_t)p * out_stride + (size_t)(unit + v * VF_LANES)], sums[p][v]);
	}
}

ALWAYS_INLINE void activate_row(enum lenet5_activation activation, float *row, int n)
{
	if (activation != LENET5_IDENTITY)
		VF_EACH(i, n)
			vf_store(&row[i], activate(activation, vf_load(&row[i])));
}

// From S4 to F6, of `pictures` pictures, `stride` floats from one picture's row to the next.
ALWAYS_INLINE void forward_hidden(const struct isa_network *n, const int pictures, size_t stride, const float *s4, float *c5,
				  float *f6)
{
	const struct isa_params *w = n->params;
	full_block(w->c5_weight[0], C5_STRIDE, w->c5_bias, s4, stride, N_S4, c5, stride, pictures, C5_BLOCK(pictures));
	for (int p = 0; p < pictures; p++)
		activate_row(n->net->activation[LENET5_C5], c5 + (size_t)p * stride, C5_STRIDE);
	full_block(w->f6_weight[0], F6_STRIDE, w->f6_bias, c5, stride, N_C5, f6, stride, pictures, F6_BLOCK(pictures));
	for (int p = 0; p < pictures; p++)
		activate_row(n->net->activation[LENET5_F6], f6 + (size_t)p * stride, F6_STRIDE);
}

// The same and a linear output layer. scores (16) each.
ALWAYS_INLINE void forward_full(const struct isa_network *n, const int pictures, size_t stride, const float *s4, float *c5,
				float *f6, float *scores)
{
	const struct isa_params *w = n->params;
	forward_hidden(n, pictures, stride, s4, c5, f6);
	full_block(w->output_weight[0], SCORES_STRIDE, w->output_bias, f6, stride, N_F6, scores, stride, pictures, SCORES_BLOCK);
}

// Calls `call` with the constant 1, 2, 3 or 4 that n is.
#define FOR_PICTURES(n, call)                                                                                                      \
	switch (n) {                                                                                                               \
	case 1:                                                                                                                    \
		call(1);                                                                                                           \
		break;                                                                                                             \
	case 2:                                                                                                                    \
		call(2);                                                                                                           \
		break;                                                                                                             \
	case 3:                                                                                                                    \
		call(3);                                                                                                           \
		break;                                                                                                             \
	default:                                                                                                                   \
		call(4);                                                                                                           \
		break;                                                                                                             \
	}
