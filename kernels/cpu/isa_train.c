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
#include "kernels/cpu/isa_backward.h"
#include "kernels/cpu/isa_direct.h"

#include <math.h>
#include <string.h>

enum { S2_ROW = 14 * 8, PATCH_ROW = 5 * 8, S2_FROM_ROW = LENET5_PADDED, S4_FROM_ROW = S2_ROW };

// A picture's maps as the backward pass wants them. Runs of 48 floats may read past a row, but not past the end.
struct patches {
	float input[LENET5_PADDED * LENET5_PADDED + 16]; // (y, x)
	float s2[14 * S2_ROW + 16]; // (y, x, map)
	float ds2[14 * S2_ROW + 16];
} __attribute__((aligned(64)));

// A picture's maps on the way forth. Columns 14 and 15 of s2 hold anything finite.
struct pooled_maps {
	float input[LENET5_PADDED * 32 + 16]; // as in struct isa_maps
	float s2[N_MAPS1][14][16]; // [map][y][x]
	int32_t s2_from[N_MAPS1][14][16]; // the winner of each pooling window: y·S2_FROM_ROW + x in the window
	int32_t s4_from[25][N_MAPS3]; // the same, y·S4_FROM_ROW + x·8
} __attribute__((aligned(64)));

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

// The maximum of a window, and in *from the offset of its first occurrence.
ALWAYS_INLINE vf pool_from(const vf window[4], const int32_t offsets[4], vf *from)
{
	vf best = window[0];
	union {
		int32_t i;
		float f;
	} offset = { offsets[0] };
	*from = vf_set1(offset.f);
	UNROLL(3)
	for (int i = 1; i < 4; i++) {
		offset.i = offsets[i];
		*from = vf_select(vf_greater(window[i], best), vf_set1(offset.f), *from);
		best = vf_max(window[i], best);
	}
	return best;
}

static void train_c1(const struct isa_network *n, struct pooled_maps *maps)
{
	static const int32_t offsets[4] = { 0, 1, S2_FROM_ROW, S2_FROM_ROW + 1 };
	enum lenet5_activation activation = n->net->activation[LENET5_S2];
	for (int y = 0; y < 14; y++)
		VF_EACH(lane, 16)
			for (int map = 0; map < N_MAPS1; map += DIRECT_MAPS) {
				vf sums[DIRECT_MAPS][4];
				direct_c1(n->params, maps->input, y, lane, map, sums);
				UNROLLED(3, m, DIRECT_MAPS) {
					vf from;
					vf_store(&maps->s2[map + m][y][lane],
						 activate(activation, pool_from(sums[m], offsets, &from)));
					vf_store(&maps->s2_from[map + m][y][lane], from);
				}
			}
}

static void train_c3(const struct isa_network *n, struct pooled_maps *maps, float *s4)
{
	static const int32_t offsets[4] = { 0, 8, S4_FROM_ROW, S4_FROM_ROW + 8 };
	enum lenet5_activation activation = n->net->activation[LENET5_S4];
	for (int y = 0; y < 5; y++)
		for (int x = 0; x < 10; x += DIRECT_COLUMNS) {
			vf sums[DIRECT_COLUMNS / 2][MAP_VECTORS][4];
			direct_c3(n->params, maps->s2, y, x, sums);
			UNROLLED(5, c, DIRECT_COLUMNS / 2)
				UNROLLED(4, v, MAP_VECTORS) {
					vf from;
					int pixel = y * 5 + x / 2 + c;
					vf_store(&s4[pixel * N_MAPS3 + v * VF_LANES],
						 activate(activation, pool_from(sums[c][v], offsets, &from)));
					vf_store(&maps->s4_from[pixel][v * VF_LANES], from);
				}
		}
}

static void forward_maps(const struct isa_network *n, const uint8_t *pixels, struct pooled_maps *maps, float *s4)
{
	lay_out_pixels(n, pixels, maps->input);
	train_c1(n, maps);
	train_c3(n, maps, s4);
}

// Full layers of `pictures` pictures there and back: features[].s4 → losses and ds4 (pictures, 400).
ALWAYS_INLINE void learn_full(const struct isa_network *n, const struct isa_transposed *turned, const int pictures,
			      const float (*targets)[16], int batch, struct isa_features *f, float (*ds4)[N_S4], double *losses)
{
	forward_full(n, pictures, FEATURES_STRIDE, f->s4, f->c5, f->f6, f->dscores);
	for (int p = 0; p < pictures; p++)
		losses[p] = softmax_loss(f[p].dscores, targets[p], batch);
	full_block(turned->output_weight[0], F6_STRIDE, NULL, f->dscores, FEATURES_STRIDE, LENET5_DIGITS, f->df6, FEATURES_STRIDE,
		   pictures, F6_BLOCK(pictures));
	backward_hidden(n, turned, pictures, f, ds4, false);
}

static void lay_out_patches(const struct pooled_maps *maps, struct patches *to)
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
ALWAYS_INLINE int s4_patch(const struct pooled_maps *maps, int pixel, int map)
{
	return pixel / 5 * 2 * S2_ROW + pixel % 5 * 2 * 8 + maps->s4_from[pixel][map];
}

// gradient of C3's weights += ds4 · patches of S2
static void backward_c3_weights(const struct pooled_maps *maps, const struct patches *patches, const float *ds4,
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
			UNROLLED(2, m, MAPS)
				UNROLLED(5, r, ROWS)
					UNROLLED(10, v, VECTORS)
						sums[m][r][v] = vf_load(&gradient->c3_weight[map + m][ky + r][v * VF_LANES]);
			for (int pixel = 0; pixel < 25; pixel++)
				UNROLLED(2, m, MAPS) {
					vf d = vf_set1(ds4[pixel * N_MAPS3 + map + m]);
					const float *patch = &patches->s2[s4_patch(maps, pixel, map + m) + ky * S2_ROW];
					UNROLLED(5, r, ROWS)
						UNROLLED(10, v, VECTORS)
							sums[m][r][v] = vf_fma(d, vf_load(&patch[r * S2_ROW + v * VF_LANES]),
									       sums[m][r][v]);
				}
			UNROLLED(2, m, MAPS)
				UNROLLED(5, r, ROWS)
					UNROLLED(10, v, VECTORS)
						vf_store(&gradient->c3_weight[map + m][ky + r][v * VF_LANES], sums[m][r][v]);
		}
	for (int pixel = 0; pixel < 25; pixel++)
		for (int map = 0; map < N_MAPS3; map++)
			gradient->c3_bias[map] += ds4[pixel * N_MAPS3 + map];
}

// ds2 += C3's weights · ds4, through S2's activation
static void backward_c3_maps(const struct pooled_maps *maps, struct patches *patches, const float *ds4,
			     const struct isa_transposed *turned, enum lenet5_activation activation)
{
	for (int pixel = 0; pixel < 25; pixel++)
		for (int map = 0; map < N_MAPS3; map++) {
			vh d = vh_set1(ds4[pixel * N_MAPS3 + map]);
			float *patch = &patches->ds2[s4_patch(maps, pixel, map)];
			UNROLLED(5, ky, 5)
				UNROLL(10)
			for (int i = 0; i < PATCH_ROW; i += VH_LANES) {
				float *at = &patch[ky * S2_ROW + i];
				vh_store(at, vh_fma(d, vh_load(&turned->c3_weight[map][ky][i]), vh_load(at)));
			}
		}
	derive_row(activation, patches->s2, patches->ds2, 14 * S2_ROW, false);
}

// gradient of C1's weights += ds2 · patches of the input
static void backward_c1(const struct pooled_maps *maps, const struct patches *patches, struct isa_conv_gradient *gradient)
{
	enum { MAPS = 2, VECTORS = 8 / VH_LANES };
	for (int map = 0; map < N_MAPS1; map += MAPS) {
		vh sums[MAPS][5][VECTORS];
		UNROLLED(2, m, MAPS)
			UNROLLED(5, ky, 5)
				UNROLLED(2, v, VECTORS)
					sums[m][ky][v] = vh_load(&gradient->c1_weight[map + m][ky][v * VH_LANES]);
		for (int y = 0; y < 14; y++)
			for (int x = 0; x < 14; x++)
				UNROLLED(2, m, MAPS) {
					vh d = vh_set1(patches->ds2[y * S2_ROW + x * 8 + map + m]);
					const float *patch =
						&patches->input[2 * y * LENET5_PADDED + 2 * x + maps->s2_from[map + m][y][x]];
					UNROLLED(5, ky, 5)
						UNROLLED(2, v, VECTORS)
							sums[m][ky][v] =
								vh_fma(d, vh_load(&patch[ky * LENET5_PADDED + v * VH_LANES]),
								       sums[m][ky][v]);
				}
		UNROLLED(2, m, MAPS)
			UNROLLED(5, ky, 5)
				UNROLLED(2, v, VECTORS)
					vh_store(&gradient->c1_weight[map + m][ky][v * VH_LANES], sums[m][ky][v]);
	}
	for (int pixel = 0; pixel < 14 * 14; pixel++)
		for (int map = 0; map < N_MAPS1; map++)
			gradient->c1_bias[map] += patches->ds2[pixel * 8 + map];
}

void ISA_NAME(isa_learn)(const struct isa_network *n, const struct isa_transposed *turned, const struct isa_lesson *lesson,
			 struct isa_features *features, union isa_gradient *sums, double *losses)
{
	const int pictures = lesson->n;
	struct isa_conv_gradient *gradient = &sums->conv;
	struct pooled_maps maps[MAX_CHUNK];
	float ds4[MAX_CHUNK][N_S4] __attribute__((aligned(64)));
	for (int p = 0; p < pictures; p++)
		forward_maps(n, lesson->pixels[p], &maps[p], features[p].s4);
	for (int p = 0; p < pictures; p += GROUP) {
#define CALL(count) learn_full(n, turned, count, lesson->targets + p, lesson->batch, features + p, ds4 + p, losses + p)
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

static void update_conv(const struct isa_sgd *sgd, const union isa_gradient *gradients, int n_gradients, struct isa_params *params,
			struct isa_params *momentum, struct isa_transposed *turned)
{
	struct isa_conv_gradient sum = gradients[0].conv;
	float *to = &sum.c1_weight[0][0][0];
	for (int g = 1; g < n_gradients; g++)
		add_run(to, (const float *)&gradients[g].conv, sizeof sum / sizeof(float));

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
		descend(sgd, vf_load(&to[i]), &params->c1_weight[0][0][0] + i, &momentum->c1_weight[0][0][0] + i, NULL);
	VF_EACH(i, N_MAPS1 * N_TAPS * N_MAPS3)
		descend(sgd, vf_load(&c3_weight[0][0][0] + i), &params->c3_weight[0][0][0] + i, &momentum->c3_weight[0][0][0] + i,
			NULL);
	VF_EACH(i, 16)
		descend(sgd, vf_load(&sum.c1_bias[i]), &params->c1_bias[i], &momentum->c1_bias[i], NULL);
	VF_EACH(i, N_MAPS3)
		descend(sgd, vf_load(&sum.c3_bias[i]), &params->c3_bias[i], &momentum->c3_bias[i], NULL);
	for (int map = 0; map < N_MAPS1; map++)
		for (int tap = 0; tap < N_TAPS; tap++)
			for (int out = 0; out < N_MAPS3; out++)
				turned->c3_weight[out][tap / 5][tap % 5 * 8 + map] = params->c3_weight[map][tap][out];
}

void ISA_NAME(isa_update)(int part, const struct isa_features *f, int pictures, const union isa_gradient *gradients,
			  int n_gradients, const struct isa_sgd *sgd, struct isa_params *params, struct isa_params *momentum,
			  struct isa_transposed *turned)
{
	if (part < UPDATE_C5) {
		update_c5(part, f, pictures, sgd, NULL, params, momentum, turned);
	} else if (part < UPDATE_C5 + UPDATE_F6) {
		update_f6(part - UPDATE_C5, f, pictures, sgd, NULL, params, momentum, turned);
	} else {
		update_full(sgd, f->f6, f->dscores, pictures, N_F6, SCORES_STRIDE, params->output_weight[0],
			    momentum->output_weight[0], NULL, 4, SCORES_BLOCK);
		for (int unit = 0; unit < LENET5_DIGITS; unit++)
			for (int i = 0; i < N_F6; i++)
				turned->output_weight[unit][i] = params->output_weight[i][unit];
		update_bias(sgd, f->dc5, pictures, C5_STRIDE, params->c5_bias, momentum->c5_bias, NULL);
		update_bias(sgd, f->df6, pictures, F6_STRIDE, params->f6_bias, momentum->f6_bias, NULL);
		update_bias(sgd, f->dscores, pictures, SCORES_STRIDE, params->output_bias, momentum->output_bias, NULL);
		update_conv(sgd, gradients, n_gradients, params, momentum, turned);
	}
}
