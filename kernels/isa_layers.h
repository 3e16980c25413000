// isa_layers: the forward pass as inline functions, shared by inference (isa_forward.c) and training (isa_train.c).
//
// Each output is one chain of fused multiply-adds that starts at the bias and takes its inputs in a fixed order. Vectors
// run across outputs, never along a sum; blocks only decide which chains are in registers together. So a picture's result
// does not depend on what is computed beside it.
//
//   C1+S2  lanes are columns. Even and odd columns of the input are stored apart, so that the two columns of a pooling
//          window are two vectors and the maximum needs no shuffle.
//   C3+S4  lanes are the 16 maps: a pixel of S2 is broadcast and multiplied with a vector of weights.
//   full   lanes are units; GROUP pictures share each load of the weights.
//
// What was tried, and what it gave: network relu, one core of an AMD EPYC (Zen 4) whose AVX-512 peak was 118 GFLOP/s, the
// least of 400 to 600 timings; µs.
//
//   AVX-512, C3 of a picture: a pixel broadcast for one weight (21 loads for 20 multiply-adds)        4.73
//     for the five of a row (33 for 100), GCC's predictive commoning spilling sums                    4.16
//     the same, all pixels of a row before the next row's                                             4.08
//     the same without predictive commoning (AVX2: 4.55 → 4.39, and with five weights it would spill) 4.08
//   AVX-512, C1 of a picture: three maps at once 2.29 (the peak: 14 of 16 lanes count); six spill     2.39 to 2.48
//   AVX-512, a picture alone: C5 after C3                                                             8.87
//     C5 row by row behind C3; 0, 4, 8, 12, 16 lines of its weights fetched in each round of C3       8.81 8.66 8.50 8.40 8.58
//   All of it: AVX-512 alone 9.54 → 8.50, in a batch 8.38 → 7.73; AVX2 11.31 → 9.94 and 10.20 → 9.04
#pragma once

#include "kernels/isa.h"
#include "kernels/simd.h"

#include <stdbool.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define UNROLL(n) _Pragma(UNROLL_TEXT(GCC unroll n))
#define UNROLL_TEXT(text) #text

// How much fits the registers: maps of C1 at once, columns of C3 and weights of a row, vectors of a full layer for p pictures.
// C3_LINES: what the first-level cache takes of C5's weights beside C3's.
enum { C1_BLOCK = 3 };
#if defined __AVX512F__
enum { C3_BLOCK = 10, C3_TAPS = 5, C3_LINES = 12 };
#define C5_BLOCK(p) ((p) == 4 ? 4 : 8)
#define F6_BLOCK(p) 6
#define S4_BLOCK(p) 5
#else
enum { C3_BLOCK = 2, C3_TAPS = 1, C3_LINES = VF_LANES == 8 ? 2 : 0 };
#define C5_BLOCK(p) ((p) == 1 ? 8 : (p) == 2 ? 4 : 2)
#define F6_BLOCK(p) ((p) == 1 ? 6 : (p) == 2 ? 4 : 2)
#define S4_BLOCK(p) ((p) == 1 ? 10 : 2)
#endif
enum { LINE = 16 }; // floats of a cache line
enum { SCORES_BLOCK = SCORES_STRIDE / VF_LANES };

// What the convolutions of one picture produce on the way. Columns 14 and 15 of s2 hold anything finite.
struct isa_maps {
	float input[LENET5_PADDED * 32 + 16]; // (row, even or odd columns, column/2); vectors read past the last row
	float s2[N_MAPS1][14][16]; // [map][y][x]
	int32_t s2_from[N_MAPS1][14][16]; // the winner of each pooling window: y·S2_FROM_ROW + x in the window
	int32_t s4_from[25][N_MAPS3]; // the same, y·S4_FROM_ROW + x·8
} __attribute__((aligned(64)));
enum { S2_FROM_ROW = LENET5_PADDED, S4_FROM_ROW = 14 * 8 };

#define SQUASH_LIMIT 1.7159f

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
		return vf_set1(SQUASH_LIMIT) * vf_tanh(vf_set1(2.0f / 3) * x);
	}
	return x;
}

// The maximum of a window, and in *from the offset of its first occurrence.
ALWAYS_INLINE vf pool(const vf window[4], const int32_t offsets[4], vf *from)
{
	vf best = window[0];
	union { int32_t i; float f; } offset = { offsets[0] };
	*from = vf_set1(offset.f);
	UNROLL(3)
	for (int i = 1; i < 4; i++) {
		offset.i = offsets[i];
		*from = vf_select(vf_greater(window[i], best), vf_set1(offset.f), *from);
		best = vf_max(window[i], best);
	}
	return best;
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

// C1 before pooling: maps map..map + C1_BLOCK, a row of S2's windows, 16 columns from `lane` on. sums[map][pixel of the window].
ALWAYS_INLINE void convolve_c1(const struct isa_params *w, const float *input, int y, int lane, int map, vf sums[C1_BLOCK][4])
{
	UNROLL(3)
	for (int m = 0; m < C1_BLOCK; m++)
		UNROLL(4)
		for (int i = 0; i < 4; i++)
			sums[m][i] = vf_set1(w->c1_bias[map + m]);
	UNROLL(5)
	for (int ky = 0; ky < 5; ky++)
	UNROLL(5)
	for (int kx = 0; kx < 5; kx++)
	UNROLL(4)
	for (int i = 0; i < 4; i++) {
		int column = kx + (i & 1);
		vf in = vf_load(&input[(2 * y + ky + (i >> 1)) * 32 + (column & 1) * 16 + column / 2 + lane]);
		UNROLL(3)
		for (int m = 0; m < C1_BLOCK; m++)
			sums[m][i] = vf_fma(in, vf_set1(w->c1_weight[map + m][ky][kx]), sums[m][i]);
	}
}

// C1 and S2, into maps->s2.
ALWAYS_INLINE void forward_c1(const struct isa_network *n, struct isa_maps *maps, bool training)
{
	static const int32_t offsets[4] = { 0, 1, S2_FROM_ROW, S2_FROM_ROW + 1 };
	enum lenet5_activation activation = n->net->activation[LENET5_S2];
	for (int y = 0; y < 14; y++)
	VF_EACH(lane, 16)
	for (int map = 0; map < N_MAPS1; map += C1_BLOCK) {
		vf sums[C1_BLOCK][4];
		convolve_c1(n->params, maps->input, y, lane, map, sums);
		UNROLL(3)
		for (int m = 0; m < C1_BLOCK; m++) {
			vf from;
			vf_store(&maps->s2[map + m][y][lane], activate(activation, pool(sums[m], offsets, &from)));
			if (training)
				vf_store(&maps->s2_from[map + m][y][lane], from);
		}
	}
}

enum { C3_VECTORS = N_MAPS3 / VF_LANES };

// To the sums of convolve_c3, what row ky of the weights of map `map` of S2 adds. A pixel is broadcast once for C3_TAPS weights.
ALWAYS_INLINE void convolve_c3_row(const struct isa_params *w, const float (*s2)[14][16], int map, int ky, int y, int x,
				   vf sums[C3_BLOCK / 2][C3_VECTORS][4])
{
	UNROLL(5)
	for (int kx = 0; kx < 5; kx += C3_TAPS) {
		vf weights[C3_TAPS][C3_VECTORS];
		UNROLL(5)
		for (int t = 0; t < C3_TAPS; t++)
			UNROLL(4)
			for (int v = 0; v < C3_VECTORS; v++)
				weights[t][v] = vf_load(&w->c3_weight[map][ky * 5 + kx + t][v * VF_LANES]);
		UNROLL(2)
		for (int row = 0; row < 2; row++)
		UNROLL(14)
		for (int from = 0; from < C3_BLOCK + C3_TAPS - 1; from++) {
			vf in = vf_set1(s2[map][2 * y + ky + row][x + kx + from]);
			UNROLL(5)
			for (int t = 0; t < C3_TAPS; t++) {
				int to = from - t;
				if (to < 0 || to >= C3_BLOCK)
					continue;
				UNROLL(4)
				for (int v = 0; v < C3_VECTORS; v++) {
					vf *sum = &sums[to / 2][v][2 * row + to % 2];
					*sum = vf_fma(in, weights[t][v], *sum);
				}
			}
		}
	}
}

// C3 before pooling: C3_BLOCK / 2 of S4's windows side by side, from column x of C3 on. sums[window][map][pixel of the window].
// ahead: 30·C3_LINES cache lines that are fetched meanwhile, or NULL.
ALWAYS_INLINE void convolve_c3(const struct isa_params *w, const float (*s2)[14][16], int y, int x,
			       vf sums[C3_BLOCK / 2][C3_VECTORS][4], const float *ahead)
{
	UNROLL(5)
	for (int c = 0; c < C3_BLOCK / 2; c++)
		UNROLL(4)
		for (int v = 0; v < C3_VECTORS; v++)
			UNROLL(4)
			for (int i = 0; i < 4; i++)
				sums[c][v][i] = vf_load(&w->c3_bias[v * VF_LANES]);
	for (int map = 0; map < N_MAPS1; map++)
	for (int ky = 0; ky < 5; ky++) {
		UNROLL(12)
		for (int line = 0; ahead && line < C3_LINES; line++)
			__builtin_prefetch(ahead + ((map * 5 + ky) * C3_LINES + line) * LINE);
		convolve_c3_row(w, s2, map, ky, y, x, sums);
	}
}

// Row y of S4, into s4 (25, 16), through C3. ahead: 30·C3_LINES·10/C3_BLOCK cache lines, or NULL.
ALWAYS_INLINE void forward_c3_row(const struct isa_network *n, struct isa_maps *maps, int y, float *s4, bool training,
				  const float *ahead)
{
	static const int32_t offsets[4] = { 0, 8, S4_FROM_ROW, S4_FROM_ROW + 8 };
	enum lenet5_activation activation = n->net->activation[LENET5_S4];
	for (int x = 0; x < 10; x += C3_BLOCK) {
		vf sums[C3_BLOCK / 2][C3_VECTORS][4];
		convolve_c3(n->params, maps->s2, y, x, sums, ahead ? ahead + x / C3_BLOCK * 30 * C3_LINES * LINE : NULL);
		UNROLL(5)
		for (int c = 0; c < C3_BLOCK / 2; c++)
		UNROLL(4)
		for (int v = 0; v < C3_VECTORS; v++) {
			vf from;
			int pixel = y * 5 + x / 2 + c;
			vf_store(&s4[pixel * N_MAPS3 + v * VF_LANES], activate(activation, pool(sums[c][v], offsets, &from)));
			if (training)
				vf_store(&maps->s4_from[pixel][v * VF_LANES], from);
		}
	}
}

// C3 and S4, into s4 (25, 16).
ALWAYS_INLINE void forward_c3(const struct isa_network *n, struct isa_maps *maps, float *s4, bool training)
{
	for (int y = 0; y < 5; y++)
		forward_c3_row(n, maps, y, s4, training, NULL);
}

// A full layer for `pictures` pictures, `block` vectors of units at once; both are constants after inlining.
// out[p][unit] = activation(bias[unit] + Σ_i in[p][i]·weight[i][unit]); bias NULL is 0. Strides in floats.
ALWAYS_INLINE void full_block(const float *weight, int width, const float *bias, const float *in, size_t in_stride, int n_in,
			      float *out, size_t out_stride, const int pictures, const int block)
{
	for (int unit = 0; unit < width; unit += block * VF_LANES) {
		vf sums[GROUP][10];
		UNROLL(4)
		for (int p = 0; p < pictures; p++)
			UNROLL(10)
			for (int v = 0; v < block; v++)
				sums[p][v] = bias ? vf_load(&bias[unit + v * VF_LANES]) : vf_set1(0.0f);
		for (int i = 0; i < n_in; i++) {
			vf weights[10];
			UNROLL(10)
			for (int v = 0; v < block; v++)
				weights[v] = vf_load(&weight[i * width + unit + v * VF_LANES]);
			UNROLL(4)
			for (int p = 0; p < pictures; p++) {
				vf x = vf_set1(in[(size_t)p * in_stride + (size_t)i]);
				UNROLL(10)
				for (int v = 0; v < block; v++)
					sums[p][v] = vf_fma(x, weights[v], sums[p][v]);
			}
		}
		UNROLL(4)
		for (int p = 0; p < pictures; p++)
			UNROLL(10)
			for (int v = 0; v < block; v++)
				vf_store(&out[(size_t)p * out_stride + (size_t)(unit + v * VF_LANES)], sums[p][v]);
	}
}

ALWAYS_INLINE void activate_row(enum lenet5_activation activation, float *row, int n)
{
	if (activation != LENET5_IDENTITY)
		VF_EACH(i, n)
			vf_store(&row[i], activate(activation, vf_load(&row[i])));
}

// From C5's sums to F6, of `pictures` pictures, `stride` floats from one picture's row to the next.
ALWAYS_INLINE void forward_f6(const struct isa_network *n, const int pictures, size_t stride, float *c5, float *f6)
{
	const struct isa_params *w = n->params;
	for (int p = 0; p < pictures; p++)
		activate_row(n->net->activation[LENET5_C5], c5 + (size_t)p * stride, C5_STRIDE);
	full_block(w->f6_weight[0], F6_STRIDE, w->f6_bias, c5, stride, N_C5, f6, stride, pictures, F6_BLOCK(pictures));
	for (int p = 0; p < pictures; p++)
		activate_row(n->net->activation[LENET5_F6], f6 + (size_t)p * stride, F6_STRIDE);
}

ALWAYS_INLINE void forward_hidden(const struct isa_network *n, const int pictures, size_t stride, const float *s4, float *c5, float *f6)
{
	const struct isa_params *w = n->params;
	full_block(w->c5_weight[0], C5_STRIDE, w->c5_bias, s4, stride, N_S4, c5, stride, pictures, C5_BLOCK(pictures));
	forward_f6(n, pictures, stride, c5, f6);
}

// A linear output layer. scores (16) each.
ALWAYS_INLINE void forward_scores(const struct isa_network *n, const int pictures, size_t stride, const float *f6, float *scores)
{
	const struct isa_params *w = n->params;
	full_block(w->output_weight[0], SCORES_STRIDE, w->output_bias, f6, stride, N_F6, scores, stride, pictures, SCORES_BLOCK);
}

ALWAYS_INLINE void forward_full(const struct isa_network *n, const int pictures, size_t stride, const float *s4, float *c5, float *f6,
				float *scores)
{
	forward_hidden(n, pictures, stride, s4, c5, f6);
	forward_scores(n, pictures, stride, f6, scores);
}

// Calls `call` with the constant 1, 2, 3 or 4 that n is.
#define FOR_PICTURES(n, call)                                                                                        \
	switch (n) {                                                                                                 \
	case 1: call(1); break;                                                                                      \
	case 2: call(2); break;                                                                                      \
	case 3: call(3); break;                                                                                      \
	default: call(4); break;                                                                                     \
	}
