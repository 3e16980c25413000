// Training the network as published, for one instruction set.
//
// Second derivatives come back on the way of gradients, with every weight, input and slope squared (the paper's appendix C):
// so `learn` and `curve` are one pass, which for `curve` is told so, gets squared weights, and starts from the loss's second
// derivatives in place of its first. Below, d… is the one or the other.
//
// No sum runs along a vector. C3's lanes are maps on the way to its weights, and columns on the way to S2's maps, for which its
// gradients are turned and framed with zeros. C1's and S2's lanes are columns throughout: the sixteen columns of a gradient stay
// apart until the update adds them up.
#include "kernels/cpu/isa_1998.h"
#include "kernels/cpu/isa_backward.h"
#include "kernels/cpu/isa_direct.h"

#include <math.h>
#include <string.h>

// C3's gradients with their frame: column x lies at x + FRAME, so that each of a filter's columns is a vector of 16.
enum { FRAME = 4, FRAMED = 24 };

#if defined __AVX512F__
enum { TAP_ROWS = 5 }; // rows of C3's filters whose sums are in registers together
#else
enum { TAP_ROWS = 1 };
#endif

// A picture's gradients on the way back.
struct back {
	float dc3[C3_PIXELS][N_MAPS3];
	float framed[N_MAPS3][10][FRAMED]; // dc3, turned; the frame is 0
	float ds2[N_MAPS1][14][16];
	float dc1[N_MAPS1][28][2][16]; // 0 in lanes 14 and 15
} __attribute__((aligned(64)));

enum { RUBBISH = LENET5_DIGITS }; // its place behind the digits

// p_i = e^−y_i/(e^−j + Σ_k e^−y_k) of eq. 9, the class "rubbish" with y = j among them. Returns the logarithm of the denominator.
static double posterior(const float *penalties, float j, float p[SCORES_STRIDE])
{
	float y[SCORES_STRIDE], least = j, sum = 0;
	for (int i = 0; i < SCORES_STRIDE; i++) {
		y[i] = i < LENET5_DIGITS ? penalties[i] : j;
		least = y[i] < least ? y[i] : least;
	}
	VF_EACH(i, SCORES_STRIDE)
		vf_store(&p[i], vf_exp(vf_set1(least) - vf_load(&y[i])));
	for (int i = 0; i <= RUBBISH; i++)
		sum += p[i];
	for (int i = 0; i <= RUBBISH; i++)
		p[i] /= sum;
	return log((double)sum) - (double)least;
}

// scores (16): penalties. The loss, and in df6 its gradient by F6's outputs, over the batch.
static double rbf_loss(const struct isa_transposed *centres, const struct isa_lesson *lesson, const float *target,
		       const float *scores, const float *f6, float *df6)
{
	float p[SCORES_STRIDE] = { 0 };
	double loss = lesson->loss == ENGINE_MAP ? posterior(scores, lesson->j, p) : 0;
	for (int i = 0; i < LENET5_DIGITS; i++)
		loss += (double)target[i] * (double)scores[i];
	memset(df6, 0, F6_STRIDE * sizeof *df6);
	for (int i = 0; i < LENET5_DIGITS; i++) {
		vf dy = vf_set1(2 * (target[i] - p[i]) / (float)lesson->batch);
		VF_EACH(j, F6_STRIDE)
			vf_store(&df6[j], vf_fma(dy, vf_load(&f6[j]) - vf_load(&centres->output_weight[i][j]), vf_load(&df6[j])));
	}
	return loss;
}

// The loss's second derivatives by F6's outputs x_j, over the batch. Of eq. 9 it is twice p of "rubbish", plus the variance under p
// of ∂y_i/∂x_j = 2(x_j − w_ij), which is 0 for that class: never negative. Of y_D it is 2, as if all were rubbish.
static void rbf_curvature(const struct isa_transposed *centres, const struct isa_lesson *lesson, const float *scores,
			  const float *f6, float *df6)
{
	float p[SCORES_STRIDE] = { [RUBBISH] = 1 };
	const vf share = vf_set1(1 / (float)lesson->batch);
	if (lesson->loss == ENGINE_MAP)
		posterior(scores, lesson->j, p);
	VF_EACH(j, F6_STRIDE) {
		vf slopes[LENET5_DIGITS], mean = vf_set1(0.0f);
		for (int i = 0; i < LENET5_DIGITS; i++) {
			slopes[i] = vf_set1(2.0f) * (vf_load(&f6[j]) - vf_load(&centres->output_weight[i][j]));
			mean = vf_fma(vf_set1(p[i]), slopes[i], mean);
		}
		vf second = vf_set1(p[RUBBISH]) * vf_fma(mean, mean, vf_set1(2.0f));
		for (int i = 0; i < LENET5_DIGITS; i++)
			second = vf_fma(vf_set1(p[i]), (slopes[i] - mean) * (slopes[i] - mean), second);
		vf_store(&df6[j], second * share);
	}
}

ALWAYS_INLINE vf square_if(const bool squares, vf x)
{
	if (squares)
		return x * x;
	return x;
}

// Through S4 and C3's activation: ds4 → dc3; the gradients of S4.
ALWAYS_INLINE void backward_s4(const struct isa_params *w, const struct isa_1998_maps *maps, const float *ds4, struct back *b,
			       struct isa_1998_gradient *gradient, const bool squares)
{
	static const int pixels[4] = { 0, 1, 10, 11 };
	VF_EACH(map, N_MAPS3) {
		vf dweight = vf_load(&gradient->s4_weight[map]), dbias = vf_load(&gradient->s4_bias[map]);
		for (int pixel = 0; pixel < S4_PIXELS; pixel++) {
			vf d = vf_load(&ds4[pixel * N_MAPS3 + map]);
			dweight = vf_fma(d, square_if(squares, add_c3(maps->pixels.c3, pixel, map)), dweight);
			dbias += d;
			d = d * vf_load(&w->s4_weight[map]);
			for (int i = 0; i < 4; i++) {
				int at = c3_corner(pixel) + pixels[i];
				vf_store(&b->dc3[at][map],
					 derive_or_square(LENET5_SQUASH, vf_load(&maps->pixels.c3[at][map]), d, squares));
			}
		}
		vf_store(&gradient->s4_weight[map], dweight);
		vf_store(&gradient->s4_bias[map], dbias);
	}
}

// gradient of C3 += dc3 · pixels of S2
static void backward_c3_weights(float (*s2)[14][16], float (*dc3)[N_MAPS3], struct isa_1998_gradient *gradient)
{
	for (int map = 0; map < N_MAPS1; map++)
		for (int ky = 0; ky < 5; ky += TAP_ROWS) {
			vf sums[TAP_ROWS * 5][MAP_VECTORS];
			UNROLLED(25, tap, TAP_ROWS * 5)
				UNROLLED(4, v, MAP_VECTORS)
					sums[tap][v] = vf_load(&gradient->c3_weight[map][ky * 5 + tap][v * VF_LANES]);
			for (int y = 0; y < 10; y++)
				for (int x = 0; x < 10; x++) {
					vf d[MAP_VECTORS];
					UNROLLED(4, v, MAP_VECTORS)
						d[v] = vf_load(&dc3[y * 10 + x][v * VF_LANES]);
					UNROLLED(25, tap, TAP_ROWS * 5) {
						vf in = vf_set1(s2[map][y + ky + tap / 5][x + tap % 5]);
						UNROLLED(4, v, MAP_VECTORS)
							sums[tap][v] = vf_fma(in, d[v], sums[tap][v]);
					}
				}
			UNROLLED(25, tap, TAP_ROWS * 5)
				UNROLLED(4, v, MAP_VECTORS)
					vf_store(&gradient->c3_weight[map][ky * 5 + tap][v * VF_LANES], sums[tap][v]);
		}
	VF_EACH(map, N_MAPS3) {
		vf sum = vf_load(&gradient->c3_bias[map]);
		for (int pixel = 0; pixel < C3_PIXELS; pixel++)
			sum += vf_load(&dc3[pixel][map]);
		vf_store(&gradient->c3_bias[map], sum);
	}
}

// dc3 → ds2, over the links that there are.
static void backward_c3_maps(const struct lenet5 *net, const struct isa_params *w, struct back *b)
{
	for (int pixel = 0; pixel < C3_PIXELS; pixel++)
		for (int map = 0; map < N_MAPS3; map++)
			b->framed[map][pixel / 10][FRAME + pixel % 10] = b->dc3[pixel][map];
	for (int map = 0; map < N_MAPS1; map++)
		VF_EACH(lane, 16) {
			vf sums[14];
			UNROLLED(14, y, 14)
				sums[y] = vf_set1(0.0f);
			for (int out = 0; out < N_MAPS3; out++) {
				if (!(net->c3_links[out] >> map & 1))
					continue;
				for (int kx = 0; kx < 5; kx++)
					UNROLLED(5, ky, 5) {
						vf weight = vf_set1(w->c3_weight[map][ky * 5 + kx][out]);
						UNROLLED(10, y, 10)
							sums[y + ky] =
								vf_fma(weight, vf_load(&b->framed[out][y][FRAME - kx + lane]),
								       sums[y + ky]);
					}
			}
			UNROLLED(14, y, 14)
				vf_store(&b->ds2[map][y][lane], sums[y]);
		}
}

// Through S2 and C1's activation: ds2 → dc1; the gradients of S2.
ALWAYS_INLINE void backward_s2(const struct isa_params *w, const struct isa_1998_maps *maps, struct back *b,
			       struct isa_1998_gradient *gradient, const bool squares)
{
	derive_row(LENET5_SQUASH, maps->s2[0][0], b->ds2[0][0], N_MAPS1 * 14 * 16, squares);
	for (int map = 0; map < N_MAPS1; map++)
		VF_EACH(lane, 16) {
			vf dweight = vf_load(&gradient->s2_weight[map][lane]), dbias = vf_load(&gradient->s2_bias[map][lane]);
			for (int y = 0; y < 14; y++) {
				vf d = vf_load(&b->ds2[map][y][lane]);
				dweight = vf_fma(d, square_if(squares, add_c1(maps->pixels.c1[map], y, lane)), dweight);
				dbias += d;
				d = d * vf_set1(w->s2_weight[map]);
				for (int i = 0; i < 4; i++) {
					vf c1 = vf_load(&maps->pixels.c1[map][2 * y + (i >> 1)][i & 1][lane]);
					vf_store(&b->dc1[map][2 * y + (i >> 1)][i & 1][lane],
						 derive_or_square(LENET5_SQUASH, c1, d, squares));
				}
			}
			vf_store(&gradient->s2_weight[map][lane], dweight);
			vf_store(&gradient->s2_bias[map][lane], dbias);
		}
}

// gradient of C1 += dc1 · the input, by column. Three maps share each load of the input, which seldom is aligned.
static void backward_c1(const float *input, float (*dc1)[28][2][16], struct isa_1998_gradient *gradient)
{
	for (int map = 0; map < N_MAPS1; map += DIRECT_MAPS)
		VF_EACH(lane, 16)
			for (int ky = 0; ky < 5; ky++) {
				vf sums[DIRECT_MAPS][5];
				UNROLLED(3, m, DIRECT_MAPS)
					UNROLLED(5, kx, 5)
						sums[m][kx] = vf_load(&gradient->c1_weight[map + m][ky * 5 + kx][lane]);
				for (int y = 0; y < 28; y++)
					UNROLLED(2, odd, 2) {
						vf d[DIRECT_MAPS];
						UNROLLED(3, m, DIRECT_MAPS)
							d[m] = vf_load(&dc1[map + m][y][odd][lane]);
						UNROLLED(5, kx, 5) {
							int column = odd + kx;
							vf in = vf_load(
								&input[(y + ky) * 32 + column % 2 * 16 + column / 2 + lane]);
							UNROLLED(3, m, DIRECT_MAPS)
								sums[m][kx] = vf_fma(d[m], in, sums[m][kx]);
						}
					}
				UNROLLED(3, m, DIRECT_MAPS)
					UNROLLED(5, kx, 5)
						vf_store(&gradient->c1_weight[map + m][ky * 5 + kx][lane], sums[m][kx]);
			}
	for (int map = 0; map < N_MAPS1; map++)
		VF_EACH(lane, 16) {
			vf bias = vf_load(&gradient->c1_bias[map][lane]);
			for (int y = 0; y < 28; y++)
				bias += vf_load(&dc1[map][y][0][lane]) + vf_load(&dc1[map][y][1][lane]);
			vf_store(&gradient->c1_bias[map][lane], bias);
		}
}

static void square(float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] *= x[i];
}

// From ds4 to the bottom; w: the weights, or their squares.
ALWAYS_INLINE void backward_maps(const struct lenet5 *net, const struct isa_params *w, struct isa_1998_maps *maps, const float *ds4,
				 struct back *b, struct isa_1998_gradient *gradient, const bool squares)
{
	backward_s4(w, maps, ds4, b, gradient, squares);
	backward_c3_maps(net, w, b);
	backward_s2(w, maps, b, gradient, squares);
	if (squares) { // now that the slopes are done with
		square(maps->s2[0][0], sizeof maps->s2 / sizeof(float));
		square(maps->input, sizeof maps->input / sizeof(float));
	}
	backward_c3_weights(maps->s2, b->dc3, gradient);
	backward_c1(maps->input, b->dc1, gradient);
}

static void train_c1(const struct isa_params *w, struct isa_1998_maps *maps)
{
	for (int y = 0; y < 14; y++)
		VF_EACH(lane, 16)
			for (int map = 0; map < N_MAPS1; map += DIRECT_MAPS) {
				vf sums[DIRECT_MAPS][4];
				direct_c1(w, maps->input, y, lane, map, sums);
				UNROLLED(3, m, DIRECT_MAPS)
					UNROLLED(4, i, 4)
						vf_store(&maps->pixels.c1[map + m][2 * y + (i >> 1)][i & 1][lane], sums[m][i]);
			}
}

static void train_c3(const struct isa_params *w, struct isa_1998_maps *maps)
{
	for (int y = 0; y < 5; y++)
		for (int x = 0; x < 10; x += DIRECT_COLUMNS) {
			vf sums[DIRECT_COLUMNS / 2][MAP_VECTORS][4];
			direct_c3(w, maps->s2, y, x, sums);
			UNROLLED(5, c, DIRECT_COLUMNS / 2)
				UNROLLED(4, v, MAP_VECTORS)
					UNROLLED(4, i, 4)
						vf_store(&maps->pixels
								  .c3[(2 * y + (i >> 1)) * 10 + x + 2 * c + (i & 1)][v * VF_LANES],
							 sums[c][v][i]);
		}
}

// The pass there and back. w, turned_w: the weights on the way back, or their squares.
ALWAYS_INLINE void pass(const struct isa_network *n, const struct isa_transposed *centres, const struct isa_params *w,
			const struct isa_transposed *turned_w, const struct isa_lesson *lesson, struct isa_features *features,
			struct isa_1998_gradient *gradient, double *losses, const bool squares)
{
	struct isa_1998_maps maps[GROUP];
	float ds4[GROUP][N_S4] __attribute__((aligned(64)));
	struct back back;
	memset(back.framed, 0, sizeof back.framed);
	memset(gradient, 0, sizeof *gradient);
	for (int first = 0; first < lesson->n; first += GROUP) {
		struct isa_features *f = features + first;
		const int pictures = lesson->n - first < GROUP ? lesson->n - first : GROUP;
		for (int p = 0; p < pictures; p++) {
			lay_out_pixels(n, lesson->pixels[first + p], maps[p].input);
			train_c1(n->params, &maps[p]);
			forward_s2(n->params, &maps[p]);
			train_c3(n->params, &maps[p]);
			forward_s4(n->params, &maps[p]);
			memcpy(f[p].s4, maps[p].s4, sizeof f[p].s4);
		}
#define CALL(count) forward_hidden(n, count, FEATURES_STRIDE, f->s4, f->c5, f->f6)
		FOR_PICTURES(pictures, CALL)
#undef CALL
		for (int p = 0; p < pictures; p++) {
			forward_rbf(n->params, f[p].f6, f[p].dscores);
			if (squares)
				rbf_curvature(centres, lesson, f[p].dscores, f[p].f6, f[p].df6);
			else
				losses[first + p] =
					rbf_loss(centres, lesson, lesson->targets[first + p], f[p].dscores, f[p].f6, f[p].df6);
		}
#define CALL(count) backward_hidden(n, turned_w, count, f, ds4, squares)
		FOR_PICTURES(pictures, CALL)
#undef CALL
		for (int p = 0; p < pictures; p++) {
			backward_maps(n->net, w, &maps[p], ds4[p], &back, gradient, squares);
			if (squares) {
				square(f[p].s4, N_S4);
				square(f[p].c5, N_C5);
			}
		}
	}
}

void ISA_NAME(isa_1998_learn)(const struct isa_network *n, const struct isa_transposed *turned, const struct isa_lesson *lesson,
			      struct isa_features *features, union isa_gradient *gradient, double *losses)
{
	pass(n, turned, n->params, turned, lesson, features, &gradient->of_1998, losses, false);
}

void ISA_NAME(isa_1998_curve)(const struct isa_network *n, const struct isa_transposed *turned, const struct isa_params *squares,
			      const struct isa_transposed *turned_squares, const struct isa_lesson *lesson,
			      struct isa_features *features, union isa_gradient *gradient)
{
	pass(n, turned, squares, turned_squares, lesson, features, &gradient->of_1998, NULL, true);
}
