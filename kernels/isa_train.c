// Training for one instruction set: forward and backward of a chunk of pictures, and the update of the parameters.
//
// Max-pooling leaves one gradient in each 2×2 window: 400 of C3's 1,600 and 1,176 of C1's 4,704. The backward passes of
// the convolutions walk over those alone: each adds its multiple of a 5×5 patch (the gradient of the weights) or adds the
// weights to a patch (the gradient of the maps below). Maps are stored (y, x, 8 maps) for that, so that a row of a patch
// is one run of 40 floats.
//
// The full layers' gradients are sums over the whole batch. They are not summed here but in the update, one row of weights
// after the other, every row over all pictures in their order: no partial sums, so nothing depends on how many threads share
// the work. The convolutions' are summed a chunk at a time, and the chunks in their order.
#include "kernels/isa_layers.h"

#include <math.h>
#include <string.h>

enum { S2_ROW = 14 * 8, FEATURES_STRIDE = sizeof(struct isa_features) / sizeof(float), PATCH_ROW = 5 * 8 };

// A picture's maps as the backward pass wants them. Runs of 48 floats may read past a row, but not past the end.
struct patches {
	float input[LENET5_PADDED * LENET5_PADDED + 16]; // (y, x)
	float s2[14 * S2_ROW + 16]; // (y, x, map)
	float ds2[14 * S2_ROW + 16];
} __attribute__((aligned(64)));

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
	}
	return d;
}

static void derive_row(enum lenet5_activation activation, const float *y, float *d, int n)
{
	VF_EACH(i, n)
		vf_store(&d[i], derive(activation, vf_load(&y[i]), vf_load(&d[i])));
}

// Cross-entropy of the softmax. scores (16) become the gradient of the loss/batch; returns the loss.
static double softmax_loss(float scores[SCORES_STRIDE], const float target[16], int batch)
{
	float top = scores[0], exps[SCORES_STRIDE], sum = 0;
	double towards = 0;
	for (int i = 0; i < LENET5_DIGITS; i++) {
		top = scores[i] > top ? scores[i] : top;
		towards += (double)target[i] * (double)scores[i];
	}
	VF_EACH(i, SCORES_STRIDE)
		vf_store(&exps[i], vf_exp(vf_load(&scores[i]) - vf_set1(top)));
	for (int i = 0; i < LENET5_DIGITS; i++)
		sum += exps[i];
	for (int i = 0; i < SCORES_STRIDE; i++)
		scores[i] = i < LENET5_DIGITS ? (exps[i] / sum - target[i]) / (float)batch : 0.0f;
	return log((double)sum) + (double)top - towards;
}

static void forward_maps(const struct isa_network *n, const uint8_t *pixels, struct isa_maps *maps, float *s4)
{
	float ink[LENET5_PIXELS];
	for (int i = 0; i < LENET5_PIXELS; i++)
		ink[i] = (float)pixels[i] / 255.0f;
	lay_out_input(n, ink, maps);
	forward_c1(n, maps, true);
	forward_c3(n, maps, s4, true);
}

// Full layers of `pictures` pictures there and back: features[].s4 → losses and ds4 (pictures, 400).
ALWAYS_INLINE void learn_full(const struct isa_network *n, const struct isa_transposed *turned, const int pictures,
			      const float (*targets)[16], int batch, struct isa_features *f, float (*ds4)[N_S4], double *losses)
{
	const enum lenet5_activation *activation = n->net->activation;
	forward_full(n, pictures, FEATURES_STRIDE, f->s4, f->c5, f->f6, f->dscores);
	for (int p = 0; p < pictures; p++)
		losses[p] = softmax_loss(f[p].dscores, targets[p], batch);
	full_block(turned->output_weight[0], F6_STRIDE, NULL, f->dscores, FEATURES_STRIDE, LENET5_DIGITS, f->df6, FEATURES_STRIDE,
		   pictures, F6_BLOCK(pictures));
	for (int p = 0; p < pictures; p++)
		derive_row(activation[LENET5_F6], f[p].f6, f[p].df6, F6_STRIDE);
	full_block(turned->f6_weight[0], C5_STRIDE, NULL, f->df6, FEATURES_STRIDE, N_F6, f->dc5, FEATURES_STRIDE, pictures,
		   C5_BLOCK(pictures));
	for (int p = 0; p < pictures; p++)
		derive_row(activation[LENET5_C5], f[p].c5, f[p].dc5, C5_STRIDE);
	full_block(turned->c5_weight[0], N_S4, NULL, f->dc5, FEATURES_STRIDE, N_C5, ds4[0], N_S4, pictures, S4_BLOCK(pictures));
	for (int p = 0; p < pictures; p++)
		derive_row(activation[LENET5_S4], f[p].s4, ds4[p], N_S4);
}

static void lay_out_patches(const struct isa_maps *maps, struct patches *to)
{
	for (int y = 0; y < LENET5_PADDED; y++)
		for (int x = 0; x < 16; x++) {
			to->input[y * 32 + 2 * x] = maps->input[y * 32 + x];
			to->input[y * 32 + 2 * x + 1] = maps->input[y * 32 + 16 + x];
		}
	for (int y = 0; y < 14; y++)
		for (int x = 0; x < 14; x++)
			for (int map = 0; map < 8; map++)
				to->s2[y * S2_ROW + x * 8 + map] = map < N_MAPS1 ? maps->s2[map][y][x] : 0.0f;
	memset(to->ds2, 0, sizeof to->ds2);
	memset(&to->input[32 * 32], 0, 16 * sizeof(float));
	memset(&to->s2[14 * S2_ROW], 0, 16 * sizeof(float));
}

// Where in (y, x, 8 maps) the patch begins that the winner of S4's window `pixel` of map `map` looked at.
ALWAYS_INLINE int s4_patch(const struct isa_maps *maps, int pixel, int map)
{
	return pixel / 5 * 2 * S2_ROW + pixel % 5 * 2 * 8 + maps->s4_from[pixel][map];
}

// gradient of C3's weights += ds4 · patches of S2
static void backward_c3_weights(const struct isa_maps *maps, const struct patches *patches, const float *ds4,
				struct isa_conv_gradient *gradient)
{
	// rows of the patch and maps of C3 at once, as the registers allow; a row is whole vectors, its padding garbage
#if defined __AVX512F__
	enum { ROWS = 5, MAPS = 1 };
#else
	enum { ROWS = 1, MAPS = 2 };
#endif
	enum { VECTORS = (PATCH_ROW + VF_LANES - 1) / VF_LANES };
	for (int map = 0; map < N_MAPS3; map += MAPS)
	for (int ky = 0; ky < 5; ky += ROWS) {
		vf sums[MAPS][ROWS][VECTORS];
		UNROLL(2)
		for (int m = 0; m < MAPS; m++)
			UNROLL(5)
			for (int r = 0; r < ROWS; r++)
				UNROLL(10)
				for (int v = 0; v < VECTORS; v++)
					sums[m][r][v] = vf_load(&gradient->c3_weight[map + m][ky + r][v * VF_LANES]);
		for (int pixel = 0; pixel < 25; pixel++)
		UNROLL(2)
		for (int m = 0; m < MAPS; m++) {
			vf d = vf_set1(ds4[pixel * N_MAPS3 + map + m]);
			const float *patch = &patches->s2[s4_patch(maps, pixel, map + m) + ky * S2_ROW];
			UNROLL(5)
			for (int r = 0; r < ROWS; r++)
				UNROLL(10)
				for (int v = 0; v < VECTORS; v++)
					sums[m][r][v] = vf_fma(d, vf_load(&patch[r * S2_ROW + v * VF_LANES]), sums[m][r][v]);
		}
		UNROLL(2)
		for (int m = 0; m < MAPS; m++)
			UNROLL(5)
			for (int r = 0; r < ROWS; r++)
				UNROLL(10)
				for (int v = 0; v < VECTORS; v++)
					vf_store(&gradient->c3_weight[map + m][ky + r][v * VF_LANES], sums[m][r][v]);
	}
	for (int pixel = 0; pixel < 25; pixel++)
		for (int map = 0; map < N_MAPS3; map++)
			gradient->c3_bias[map] += ds4[pixel * N_MAPS3 + map];
}

// ds2 += C3's weights · ds4, through S2's activation
static void backward_c3_maps(const struct isa_maps *maps, struct patches *patches, const float *ds4, const struct isa_transposed *turned,
			     enum lenet5_activation activation)
{
	for (int pixel = 0; pixel < 25; pixel++)
		for (int map = 0; map < N_MAPS3; map++) {
			vh d = vh_set1(ds4[pixel * N_MAPS3 + map]);
			float *patch = &patches->ds2[s4_patch(maps, pixel, map)];
			UNROLL(5)
			for (int ky = 0; ky < 5; ky++)
				UNROLL(10)
				for (int i = 0; i < PATCH_ROW; i += VH_LANES) {
					float *at = &patch[ky * S2_ROW + i];
					vh_store(at, vh_fma(d, vh_load(&turned->c3_weight[map][ky][i]), vh_load(at)));
				}
		}
	derive_row(activation, patches->s2, patches->ds2, 14 * S2_ROW);
}

// gradient of C1's weights += ds2 · patches of the input
static void backward_c1(const struct isa_maps *maps, const struct patches *patches, struct isa_conv_gradient *gradient)
{
	enum { MAPS = 2, VECTORS = 8 / VH_LANES };
	for (int map = 0; map < N_MAPS1; map += MAPS) {
		vh sums[MAPS][5][VECTORS];
		UNROLL(2)
		for (int m = 0; m < MAPS; m++)
			UNROLL(5)
			for (int ky = 0; ky < 5; ky++)
				UNROLL(2)
				for (int v = 0; v < VECTORS; v++)
					sums[m][ky][v] = vh_load(&gradient->c1_weight[map + m][ky][v * VH_LANES]);
		for (int y = 0; y < 14; y++)
		for (int x = 0; x < 14; x++)
		UNROLL(2)
		for (int m = 0; m < MAPS; m++) {
			vh d = vh_set1(patches->ds2[y * S2_ROW + x * 8 + map + m]);
			const float *patch = &patches->input[2 * y * LENET5_PADDED + 2 * x + maps->s2_from[map + m][y][x]];
			UNROLL(5)
			for (int ky = 0; ky < 5; ky++)
				UNROLL(2)
				for (int v = 0; v < VECTORS; v++)
					sums[m][ky][v] = vh_fma(d, vh_load(&patch[ky * LENET5_PADDED + v * VH_LANES]), sums[m][ky][v]);
		}
		UNROLL(2)
		for (int m = 0; m < MAPS; m++)
			UNROLL(5)
			for (int ky = 0; ky < 5; ky++)
				UNROLL(2)
				for (int v = 0; v < VECTORS; v++)
					vh_store(&gradient->c1_weight[map + m][ky][v * VH_LANES], sums[m][ky][v]);
	}
	for (int pixel = 0; pixel < 14 * 14; pixel++)
		for (int map = 0; map < N_MAPS1; map++)
			gradient->c1_bias[map] += patches->ds2[pixel * 8 + map];
}

void ISA_NAME(isa_learn)(const struct isa_network *n, const struct isa_transposed *turned, const uint8_t *const *pixels,
			 const float (*targets)[16], int pictures, int batch, struct isa_features *features,
			 struct isa_conv_gradient *gradient, double *losses)
{
	struct isa_maps maps[MAX_CHUNK];
	float ds4[MAX_CHUNK][N_S4] __attribute__((aligned(64)));
	for (int p = 0; p < pictures; p++)
		forward_maps(n, pixels[p], &maps[p], features[p].s4);
	for (int p = 0; p < pictures; p += GROUP) {
#define CALL(count) learn_full(n, turned, count, targets + p, batch, features + p, ds4 + p, losses + p)
		FOR_PICTURES(pictures - p, CALL)
#undef CALL
	}
	memset(gradient, 0, sizeof *gradient);
	for (int p = 0; p < pictures; p++) {
		struct patches patches;
		lay_out_patches(&maps[p], &patches);
		backward_c3_weights(&maps[p], &patches, ds4[p], gradient);
		backward_c3_maps(&maps[p], &patches, ds4[p], turned, n->net->activation[LENET5_S2]);
		backward_c1(&maps[p], &patches, gradient);
	}
}

ALWAYS_INLINE void descend(const struct isa_sgd *sgd, vf gradient, float *params, float *momentum)
{
	vf p = vf_load(params);
	vf v = vf_fma(vf_set1(sgd->momentum), vf_load(momentum), vf_fma(vf_set1(sgd->weight_decay), p, gradient));
	vf_store(momentum, v);
	vf_store(params, vf_fma(vf_set1(-sgd->rate), v, p));
}

// n_rows rows of a full layer: gradient[row][unit] = Σ_picture in[row]·d[unit], `rows` × `block` vectors at once.
ALWAYS_INLINE void update_full(const struct isa_sgd *sgd, const float *in, const float *d, int pictures, int n_rows, int width,
			       float *params, float *momentum, const int rows, const int block)
{
	for (int row = 0; row < n_rows; row += rows)
	for (int unit = 0; unit < width; unit += block * VF_LANES) {
		vf sums[4][8];
		UNROLL(4)
		for (int r = 0; r < rows; r++)
			UNROLL(8)
			for (int v = 0; v < block; v++)
				sums[r][v] = vf_set1(0.0f);
		for (int p = 0; p < pictures; p++) {
			const float *x = in + (size_t)p * FEATURES_STRIDE + row, *y = d + (size_t)p * FEATURES_STRIDE + unit;
			UNROLL(4)
			for (int r = 0; r < rows; r++)
				UNROLL(8)
				for (int v = 0; v < block; v++)
					sums[r][v] = vf_fma(vf_set1(x[r]), vf_load(&y[v * VF_LANES]), sums[r][v]);
		}
		UNROLL(4)
		for (int r = 0; r < rows; r++)
			UNROLL(8)
			for (int v = 0; v < block; v++) {
				int at = (row + r) * width + unit + v * VF_LANES;
				descend(sgd, sums[r][v], &params[at], &momentum[at]);
			}
	}
}

#if defined __AVX512F__
enum { C5_UPDATE_BLOCK = 8, F6_UPDATE_BLOCK = 6 };
#else
enum { C5_UPDATE_BLOCK = 4, F6_UPDATE_BLOCK = 4 };
#endif

static void update_bias(const struct isa_sgd *sgd, const float *d, int pictures, int width, float *params, float *momentum)
{
	VF_EACH(unit, width) {
		vf sum = vf_set1(0.0f);
		for (int p = 0; p < pictures; p++)
			sum += vf_load(&d[(size_t)p * FEATURES_STRIDE + (size_t)unit]);
		descend(sgd, sum, &params[unit], &momentum[unit]);
	}
}

static void update_conv(const struct isa_sgd *sgd, const struct isa_conv_gradient *gradients, int n_gradients, struct isa_params *params,
			struct isa_params *momentum, struct isa_transposed *turned)
{
	struct isa_conv_gradient sum = gradients[0];
	float *to = &sum.c1_weight[0][0][0];
	for (int g = 1; g < n_gradients; g++) {
		const float *from = &gradients[g].c1_weight[0][0][0];
		VF_EACH(i, (int)(sizeof sum / sizeof(float)))
			vf_store(&to[i], vf_load(&to[i]) + vf_load(&from[i]));
	}

	float c3_weight[N_MAPS1][N_TAPS][N_MAPS3]; // the gradient, turned to the layout of the parameters
	for (int map = 0; map < N_MAPS1; map++)
		for (int tap = 0; tap < N_TAPS; tap++)
			for (int out = 0; out < N_MAPS3; out++)
				c3_weight[map][tap][out] = sum.c3_weight[out][tap / 5][tap % 5 * 8 + map];
	for (int map = 0; map < N_MAPS1; map++)
		for (int ky = 0; ky < 5; ky++)
			for (int kx = 5; kx < 8; kx++)
				sum.c1_weight[map][ky][kx] = 0; // what the vectors read beside the patch
	VF_EACH(i, N_MAPS1 * 5 * 8)
		descend(sgd, vf_load(&to[i]), &params->c1_weight[0][0][0] + i, &momentum->c1_weight[0][0][0] + i);
	VF_EACH(i, N_MAPS1 * N_TAPS * N_MAPS3)
		descend(sgd, vf_load(&c3_weight[0][0][0] + i), &params->c3_weight[0][0][0] + i, &momentum->c3_weight[0][0][0] + i);
	VF_EACH(i, 16)
		descend(sgd, vf_load(&sum.c1_bias[i]), &params->c1_bias[i], &momentum->c1_bias[i]);
	VF_EACH(i, N_MAPS3)
		descend(sgd, vf_load(&sum.c3_bias[i]), &params->c3_bias[i], &momentum->c3_bias[i]);
	for (int map = 0; map < N_MAPS1; map++)
		for (int tap = 0; tap < N_TAPS; tap++)
			for (int out = 0; out < N_MAPS3; out++)
				turned->c3_weight[out][tap / 5][tap % 5 * 8 + map] = params->c3_weight[map][tap][out];
}

void ISA_NAME(isa_update)(int part, const struct isa_features *f, int pictures, const struct isa_conv_gradient *gradients, int n_gradients,
			  const struct isa_sgd *sgd, struct isa_params *params, struct isa_params *momentum,
			  struct isa_transposed *turned)
{
	if (part < UPDATE_C5) {
		enum { ROWS = N_S4 / UPDATE_C5 };
		int row = part * ROWS;
		update_full(sgd, f->s4 + row, f->dc5, pictures, ROWS, C5_STRIDE, params->c5_weight[row], momentum->c5_weight[row], 2,
			    C5_UPDATE_BLOCK);
		for (int unit = 0; unit < N_C5; unit++)
			for (int i = row; i < row + ROWS; i++)
				turned->c5_weight[unit][i] = params->c5_weight[i][unit];
	} else if (part < UPDATE_C5 + UPDATE_F6) {
		enum { ROWS = N_C5 / UPDATE_F6 };
		int row = (part - UPDATE_C5) * ROWS;
		update_full(sgd, f->c5 + row, f->df6, pictures, ROWS, F6_STRIDE, params->f6_weight[row], momentum->f6_weight[row], 3,
			    F6_UPDATE_BLOCK);
		for (int unit = 0; unit < N_F6; unit++)
			for (int i = row; i < row + ROWS; i++)
				turned->f6_weight[unit][i] = params->f6_weight[i][unit];
	} else {
		update_full(sgd, f->f6, f->dscores, pictures, N_F6, SCORES_STRIDE, params->output_weight[0], momentum->output_weight[0], 4,
			    SCORES_BLOCK);
		for (int unit = 0; unit < LENET5_DIGITS; unit++)
			for (int i = 0; i < N_F6; i++)
				turned->output_weight[unit][i] = params->output_weight[i][unit];
		update_bias(sgd, f->dc5, pictures, C5_STRIDE, params->c5_bias, momentum->c5_bias);
		update_bias(sgd, f->df6, pictures, F6_STRIDE, params->f6_bias, momentum->f6_bias);
		update_bias(sgd, f->dscores, pictures, SCORES_STRIDE, params->output_bias, momentum->output_bias);
		update_conv(sgd, gradients, n_gradients, params, momentum, turned);
	}
}
