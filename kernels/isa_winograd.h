// isa_winograd: the sums of C1 and C3, two outputs of a row of five weights at a time with 6 multiplications in place of 10
// (S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin, S. Gray, Fast Algorithms for Convolutional Neural Networks,
// CVPR 2016, where this is F(2,5)).
//
// Weights and inputs are taken for polynomials: their values at six points are multiplied, summed up over the filter's other axis and
// the maps, and the two outputs are found from the six sums. The weights' values are found once (isa_winograd.c), the inputs' once for
// all maps. C1 does it along x, so that the two outputs are the columns of a pooling window; C3 along y, its rows.
//
// Which points they are decides how rounding errors grow (B. Barabasz and others, Error Analysis and Improving the Accuracy of
// Winograd Convolution for Deep Neural Networks, 2018). ‖error‖/‖sums‖ in units of 1e-7, models/relu.bin, 40 test pictures, the weights'
// values found in double:
//
//                                              C1 along x   y   both    C3 along x   y   both
//   a chain of multiply-adds for each output      0.94                     1.70
//   0 ±1 1/2 −2 ∞                                 1.32   1.07   1.95       2.20   1.90   3.26
//   0 ±1 ±1/2 ∞                                   1.59   1.26   2.83       2.49   2.13   4.47
//   0 ±1 ±2 ∞                                     1.76   1.26   2.74       2.72   2.39   5.28
//   0 ±1 ±2 ±1/2 ∞, four outputs at a time        1.98   1.59   4.17       3.38   2.98   8.20
#pragma once

#include "kernels/isa.h"
#include "kernels/simd.h"

// What fits the registers: maps of C1; points, columns and vectors of maps of C3, and weights of a row. C3_LINES: so many cache lines
// of C5's weights are fetched for every map, point, block of columns and block of maps of a row of S4's.
enum { C1_MAPS = 2 };
#if defined __AVX512F__
enum { C3_POINTS = 2, C3_COLUMNS = 10, C3_VECTORS = 1, C3_TAPS = 5, C3_LINES = 9 };
#else
enum { C3_POINTS = 1, C3_COLUMNS = 5, C3_VECTORS = 2, C3_TAPS = 1, C3_LINES = VF_LANES == 8 ? 4 : 0 };
#endif
enum { LINE = 16 }; // floats of a cache line

// Inputs at the points, and sums at the points.
struct isa_points {
	float input[LENET5_PADDED][N_POINTS][16]; // [row][point][column of S2]
	float s2[5][N_MAPS1][N_POINTS][16]; // [row of S4][map][point][column]
	float c3[N_POINTS][10][N_MAPS3]; // of a row of S4: [point][column][map]
} __attribute__((aligned(64)));

// Six inputs → their values at the points.
//
//      ⎡ 1 −3/2  −2   3/2  1  0 ⎤     0
//      ⎢ 0  −1   1/2  5/2  1  0 ⎥     1
//      ⎢ 0   1  −5/2  1/2  1  0 ⎥    −1
//      ⎢ 0  −2   −1    2   1  0 ⎥    1/2
//      ⎢ 0  1/2  −1  −1/2  1  0 ⎥    −2
//      ⎣ 0   1  −3/2  −2  3/2 1 ⎦     ∞
ALWAYS_INLINE void points_of(const vf d[6], vf points[N_POINTS])
{
	vf even = d[4] - d[2], odd = d[3] - d[1];
	points[0] = vf_fma(vf_set1(1.5f), odd, (d[0] - d[2]) + even);
	points[1] = vf_fma(vf_set1(1.5f), d[3] + d[2], even + odd);
	points[2] = vf_fma(vf_set1(1.5f), d[3] - d[2], even - odd);
	points[3] = vf_fma(vf_set1(2.0f), odd, even);
	points[4] = vf_fma(vf_set1(-0.5f), odd, even);
	points[5] = vf_fma(vf_set1(1.5f), even, (d[5] - d[3]) - odd);
}

// The two outputs from the sums at 1, −1, 1/2 and −2, without what is still to be added: the sum at 0 to the first, that at ∞ to the
// second.
//
//      ⎡ 1  1  1   1   1  0 ⎤
//      ⎣ 0  1 −1  1/2 −2  1 ⎦
ALWAYS_INLINE void inner_outputs(vf at_1, vf at_minus_1, vf at_half, vf at_minus_2, vf *first, vf *second)
{
	*first = (at_1 + at_minus_1) + (at_half + at_minus_2);
	*second = vf_fma(vf_set1(0.5f), at_half, vf_fma(vf_set1(-2.0f), at_minus_2, at_1 - at_minus_1));
}

// input: as in struct isa_maps, even and odd columns apart. Columns 14 and 15 of points hold anything finite.
static inline void input_points(const float *input, struct isa_points *points)
{
	for (int y = 0; y < LENET5_PADDED; y++)
		VF_EACH(lane, 16) {
			vf columns[6], at[N_POINTS];
			UNROLL(6)
			for (int x = 0; x < 6; x++)
				columns[x] = vf_load(&input[y * 32 + x % 2 * 16 + x / 2 + lane]);
			points_of(columns, at);
			UNROLL(6)
			for (int point = 0; point < N_POINTS; point++)
				vf_store(&points->input[y][point][lane], at[point]);
		}
}

static inline void s2_points(const float s2[N_MAPS1][14][16], struct isa_points *points)
{
	for (int y = 0; y < 5; y++)
	for (int map = 0; map < N_MAPS1; map++)
		VF_EACH(lane, 16) {
			vf rows[6], at[N_POINTS];
			UNROLL(6)
			for (int row = 0; row < 6; row++)
				rows[row] = vf_load(&s2[map][2 * y + row][lane]);
			points_of(rows, at);
			UNROLL(6)
			for (int point = 0; point < N_POINTS; point++)
				vf_store(&points->s2[y][map][point][lane], at[point]);
		}
}

// To sums of C1, the products at a point. sums[map][row of the window].
ALWAYS_INLINE void add_c1_point(const struct isa_winograd *w, const struct isa_points *points, int point, int y, int lane, int map,
				vf sums[C1_MAPS][2])
{
	UNROLL(5)
	for (int ky = 0; ky < 5; ky++)
	UNROLL(6)
	for (int m = 0; m < C1_MAPS; m++) {
		vf weight = vf_set1(w->c1_weight[point][ky][map + m]);
		UNROLL(2)
		for (int row = 0; row < 2; row++)
			sums[m][row] = vf_fma(vf_load(&points->input[2 * y + ky + row][point][lane]), weight, sums[m][row]);
	}
}

// C1 before pooling, once there are input_points: maps map..map + C1_MAPS, a row of S2's windows, 16 columns from `lane` on.
// windows[map][pixel].
ALWAYS_INLINE void convolve_c1(const struct isa_network *n, const struct isa_points *points, int y, int lane, int map,
			       vf windows[C1_MAPS][4])
{
	vf sums[N_POINTS][C1_MAPS][2];
	UNROLL(4)
	for (int point = 1; point < N_POINTS - 1; point++) {
		UNROLL(2)
		for (int m = 0; m < C1_MAPS; m++)
			sums[point][m][0] = sums[point][m][1] = vf_set1(point == 1 ? n->params->c1_bias[map + m] : 0.0f);
		add_c1_point(n->winograd, points, point, y, lane, map, sums[point]);
	}
	UNROLL(2)
	for (int m = 0; m < C1_MAPS; m++)
		UNROLL(2)
		for (int row = 0; row < 2; row++)
			inner_outputs(sums[1][m][row], sums[2][m][row], sums[3][m][row], sums[4][m][row], &sums[0][m][row],
				      &sums[N_POINTS - 1][m][row]);
	add_c1_point(n->winograd, points, 0, y, lane, map, sums[0]);
	add_c1_point(n->winograd, points, N_POINTS - 1, y, lane, map, sums[N_POINTS - 1]);
	UNROLL(2)
	for (int m = 0; m < C1_MAPS; m++)
		UNROLL(4)
		for (int i = 0; i < 4; i++)
			windows[m][i] = sums[i % 2 ? N_POINTS - 1 : 0][m][i / 2];
}

// To sums of C3 at a point, what map `map` of S2 adds. A value is broadcast once for C3_TAPS weights.
ALWAYS_INLINE void add_c3_map(const float weight[5][N_MAPS3], const float *s2, vf sums[C3_COLUMNS][C3_VECTORS])
{
	UNROLL(5)
	for (int kx = 0; kx < 5; kx += C3_TAPS) {
		vf weights[C3_TAPS][C3_VECTORS];
		UNROLL(5)
		for (int t = 0; t < C3_TAPS; t++)
			UNROLL(2)
			for (int v = 0; v < C3_VECTORS; v++)
				weights[t][v] = vf_load(&weight[kx + t][v * VF_LANES]);
		UNROLL(14)
		for (int from = 0; from < C3_COLUMNS + C3_TAPS - 1; from++) {
			vf in = vf_set1(s2[kx + from]);
			UNROLL(5)
			for (int t = 0; t < C3_TAPS; t++) {
				int to = from - t;
				if (to < 0 || to >= C3_COLUMNS)
					continue;
				UNROLL(2)
				for (int v = 0; v < C3_VECTORS; v++)
					sums[to][v] = vf_fma(in, weights[t][v], sums[to][v]);
			}
		}
	}
}

// The sums of C3 for row y of S4's windows, once there are s2_points, into points->c3. ahead: what is fetched meanwhile, or NULL.
static inline void sum_c3(const struct isa_winograd *w, struct isa_points *points, int y, const float *ahead)
{
	for (int point = 0; point < N_POINTS; point += C3_POINTS)
	for (int x = 0; x < 10; x += C3_COLUMNS)
	for (int out = 0; out < N_MAPS3; out += C3_VECTORS * VF_LANES) {
		vf sums[C3_POINTS][C3_COLUMNS][C3_VECTORS];
		UNROLL(2)
		for (int p = 0; p < C3_POINTS; p++)
			UNROLL(10)
			for (int c = 0; c < C3_COLUMNS; c++)
				UNROLL(2)
				for (int v = 0; v < C3_VECTORS; v++)
					sums[p][c][v] = vf_set1(0.0f);
		for (int map = 0; map < N_MAPS1; map++)
		UNROLL(2)
		for (int p = 0; p < C3_POINTS; p++) {
			UNROLL(10)
			for (int line = 0; ahead && line < C3_LINES; line++, ahead += LINE)
				__builtin_prefetch(ahead);
			add_c3_map((const float(*)[N_MAPS3])&w->c3_weight[point + p][map][0][out], &points->s2[y][map][point + p][x],
				   sums[p]);
		}
		UNROLL(2)
		for (int p = 0; p < C3_POINTS; p++)
			UNROLL(10)
			for (int c = 0; c < C3_COLUMNS; c++)
				UNROLL(2)
				for (int v = 0; v < C3_VECTORS; v++)
					vf_store(&points->c3[point + p][x + c][out + v * VF_LANES], sums[p][c][v]);
	}
}

// From sum_c3's sums, the four pixels of C3 in the row's window `column`, maps from `map` on.
ALWAYS_INLINE void c3_window(const struct isa_network *n, const struct isa_points *points, int column, int map, vf window[4])
{
	UNROLL(2)
	for (int x = 0; x < 2; x++) {
		vf at[N_POINTS];
		UNROLL(6)
		for (int point = 0; point < N_POINTS; point++)
			at[point] = vf_load(&points->c3[point][2 * column + x][map]);
		inner_outputs(at[1] + vf_load(&n->params->c3_bias[map]), at[2], at[3], at[4], &window[x], &window[2 + x]);
		window[x] += at[0];
		window[2 + x] += at[N_POINTS - 1];
	}
}
