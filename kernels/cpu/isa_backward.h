// isa_backward: what the ways back of all networks have in common (isa_train.c, isa_1998_train.c): slopes, the full layers, and the
// descent.
#pragma once

#include "kernels/cpu/isa_layers.h"

enum { FEATURES_STRIDE = sizeof(struct isa_features) / sizeof(float) };

static inline void lay_out_pixels(const struct isa_network *n, const uint8_t *pixels, float *input)
{
	float ink[LENET5_PIXELS];
	for (int i = 0; i < LENET5_PIXELS; i++)
		ink[i] = (float)pixels[i] / 255.0f;
	lay_out_input(n, ink, input);
}

// The gradient before an activation from the one behind it, d, and the activation's value y.
ALWAYS_INLINE vf derive(enum lenet5_activation activation, vf y, vf d)
{
	const vf zero = vf_set1(0.0f), one = vf_set1(1.0f);
	switch (activation) {
	case LENET5_IDENTITY:
		break;
	case LENET5_SIGMOID:
		return d * (y * (one - y));
	case LENET5_RELU:
		return vf_select(vf_greater(y, zero), d, zero);
	case LENET5_TANH:
		return d * (one - y * y);
	case LENET5_SQUASH:
		return d * (vf_set1(2.0f / 3 * LENET5_SQUASH_LIMIT) - vf_set1(2.0f / 3 / LENET5_SQUASH_LIMIT) * (y * y));
	}
	return d;
}

// squares: with the slope squared, as second derivatives come back.
ALWAYS_INLINE vf derive_or_square(enum lenet5_activation activation, vf y, vf d, const bool squares)
{
	d = derive(activation, y, d);
	if (squares)
		d = derive(activation, y, d);
	return d;
}

ALWAYS_INLINE void derive_row(enum lenet5_activation activation, const float *y, float *d, int n, const bool squares)
{
	VF_EACH(i, n)
		vf_store(&d[i], derive_or_square(activation, vf_load(&y[i]), vf_load(&d[i]), squares));
}

// From the gradients of F6's outputs, df6, to those of what S4 squashes, ds4 (pictures, 400). On the way df6 and dc5 become the
// gradients before the activations.
ALWAYS_INLINE void backward_hidden(const struct isa_network *n, const struct isa_transposed *turned, const int pictures,
				   struct isa_features *f, float (*ds4)[N_S4], const bool squares)
{
	const enum lenet5_activation *activation = n->net->activation;
	for (int p = 0; p < pictures; p++)
		derive_row(activation[LENET5_F6], f[p].f6, f[p].df6, F6_STRIDE, squares);
	full_block(turned->f6_weight[0], C5_STRIDE, NULL, f->df6, FEATURES_STRIDE, N_F6, f->dc5, FEATURES_STRIDE, pictures,
		   C5_BLOCK(pictures));
	for (int p = 0; p < pictures; p++)
		derive_row(activation[LENET5_C5], f[p].c5, f[p].dc5, C5_STRIDE, squares);
	full_block(turned->c5_weight[0], N_S4, NULL, f->dc5, FEATURES_STRIDE, N_C5, ds4[0], N_S4, pictures, S4_BLOCK(pictures));
	for (int p = 0; p < pictures; p++)
		derive_row(activation[LENET5_S4], f[p].s4, ds4[p], N_S4, squares);
}

// to (n) += from (n), whole vectors
static inline void add_run(float *to, const float *from, size_t n)
{
	VF_EACH(i, (int)n)
		vf_store(&to[i], vf_load(&to[i]) + vf_load(&from[i]));
}

// scale: of the rate, a number a parameter, or NULL.
ALWAYS_INLINE void descend(const struct isa_sgd *sgd, vf gradient, float *params, float *momentum, const float *scale)
{
	vf p = vf_load(params);
	vf v = vf_fma(vf_set1(sgd->momentum), vf_load(momentum), vf_fma(vf_set1(sgd->weight_decay), p, gradient));
	vf_store(momentum, v);
	vf rate = vf_set1(-sgd->rate);
	if (scale)
		rate = rate * vf_load(scale);
	vf_store(params, vf_fma(rate, v, p));
}

// n_rows rows of a full layer: gradient[row][unit] = Σ_picture in[row]·d[unit], `rows` × `block` vectors at once.
ALWAYS_INLINE void update_full(const struct isa_sgd *sgd, const float *in, const float *d, int pictures, int n_rows, int width,
			       float *params, float *momentum, const float *scale, const int rows, const int block)
{
	for (int row = 0; row < n_rows; row += rows)
		for (int unit = 0; unit < width; unit += block * VF_LANES) {
			vf sums[4][8];
			UNROLLED(4, r, rows)
				UNROLLED(8, v, block)
					sums[r][v] = vf_set1(0.0f);
			for (int p = 0; p < pictures; p++) {
				const float *x = in + (size_t)p * FEATURES_STRIDE + row,
					    *y = d + (size_t)p * FEATURES_STRIDE + unit;
				UNROLLED(4, r, rows)
					UNROLLED(8, v, block)
						sums[r][v] = vf_fma(vf_set1(x[r]), vf_load(&y[v * VF_LANES]), sums[r][v]);
			}
			UNROLLED(4, r, rows)
				UNROLLED(8, v, block) {
					int at = (row + r) * width + unit + v * VF_LANES;
					descend(sgd, sums[r][v], &params[at], &momentum[at], scale ? &scale[at] : NULL);
				}
		}
}

#if defined __AVX512F__
enum { C5_UPDATE_BLOCK = 8, F6_UPDATE_BLOCK = 6 };
#else
enum { C5_UPDATE_BLOCK = 4, F6_UPDATE_BLOCK = 4 };
#endif

ALWAYS_INLINE void update_bias(const struct isa_sgd *sgd, const float *d, int pictures, int width, float *params, float *momentum,
			       const float *scale)
{
	VF_EACH(unit, width) {
		vf sum = vf_set1(0.0f);
		for (int p = 0; p < pictures; p++)
			sum += vf_load(&d[(size_t)p * FEATURES_STRIDE + (size_t)unit]);
		descend(sgd, sum, &params[unit], &momentum[unit], scale ? &scale[unit] : NULL);
	}
}

// A part of C5's update, and of F6's; scale: as struct isa_sgd's.
ALWAYS_INLINE void update_c5(int part, const struct isa_features *f, int pictures, const struct isa_sgd *sgd,
			     const struct isa_params *scale, struct isa_params *params, struct isa_params *momentum,
			     struct isa_transposed *turned)
{
	enum { ROWS = N_S4 / UPDATE_C5 };
	int row = part * ROWS;
	update_full(sgd, f->s4 + row, f->dc5, pictures, ROWS, C5_STRIDE, params->c5_weight[row], momentum->c5_weight[row],
		    scale ? scale->c5_weight[row] : NULL, 2, C5_UPDATE_BLOCK);
	for (int unit = 0; unit < N_C5; unit++)
		for (int i = row; i < row + ROWS; i++)
			turned->c5_weight[unit][i] = params->c5_weight[i][unit];
}

ALWAYS_INLINE void update_f6(int part, const struct isa_features *f, int pictures, const struct isa_sgd *sgd,
			     const struct isa_params *scale, struct isa_params *params, struct isa_params *momentum,
			     struct isa_transposed *turned)
{
	enum { ROWS = N_C5 / UPDATE_F6 };
	int row = part * ROWS;
	update_full(sgd, f->c5 + row, f->df6, pictures, ROWS, F6_STRIDE, params->f6_weight[row], momentum->f6_weight[row],
		    scale ? scale->f6_weight[row] : NULL, 3, F6_UPDATE_BLOCK);
	for (int unit = 0; unit < N_F6; unit++)
		for (int i = row; i < row + ROWS; i++)
			turned->f6_weight[unit][i] = params->f6_weight[i][unit];
}
