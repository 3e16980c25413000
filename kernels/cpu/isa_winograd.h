// isa_winograd: C1 and C3 in inference. Computes several outputs of a column at a time with fewer multiplications than there are
// products (S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin, S. Gray, Fast Algorithms for Convolutional Neural
// Networks, CVPR 2016). Four rows of C1 are a tile, F(4,5), which takes 8 multiplications for 20; five of C3, F(5,5), 9 for 25.
//
// A filter's column and a tile's column of inputs are taken as polynomials. Their values at 8 or 9 points are multiplied and summed
// over the filter's columns and the maps; the outputs follow from those sums. cpu_winograd.c computes the weights' values once a
// model, input_points and s2_points the inputs' once for all maps.
//
// C1's points are 0, ±1, ±1/2, ±2 and ∞, C3's 0, ±1, ±1/2, ±3/2, −4 and ∞. The points decide how rounding errors grow (B. Barabasz and
// others, Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks, 2018); docs/design.md has the
// errors of these.
#pragma once

#include "kernels/cpu/isa_layers.h"

enum {
	C1_TILE = 4,
	C1_TILES = 28 / C1_TILE, // rows
	C3_TILE = 5,
	C3_TILES = 10 / C3_TILE,
	C1_BLOCK = 2, // maps whose sums fit the registers together
};

// Inputs at the points, and C3's sums there.
struct isa_points {
	float input[C1_TILES][C1_POINTS][2 * 16]; // [tile][point][even or odd columns, column/2]
	float s2[C3_TILES][N_MAPS1][C3_POINTS][16]; // [tile][map][point][column]
	float c3[C3_TILES][C3_POINTS][10][N_MAPS3]; // [tile][point][column][map]
} __attribute__((aligned(64)));

// A polynomial in x², its coefficients from the lowest on, of every second input.
ALWAYS_INLINE vf even4(const vf *in, float c0, float c2)
{
	return vf_fma(vf_set1(c0), in[0], vf_fma(vf_set1(c2), in[2], in[4]));
}

ALWAYS_INLINE vf even6(const vf *in, float c0, float c2, float c4)
{
	return vf_fma(vf_set1(c0), in[0], even4(in + 2, c2, c4));
}

// The values at a and −a: x ± a times x⁴ + c2·x² + c0.
ALWAYS_INLINE void points_of_pair(const vf *in, float a, float c0, float c2, vf at[2])
{
	vf even = even4(in + 1, c0, c2), odd = even4(in, c0, c2);
	at[0] = vf_fma(vf_set1(a), odd, even);
	at[1] = vf_fma(vf_set1(-a), odd, even);
}

// At the point a, the inputs are multiplied with the coefficients of Π (x − p) over the other finite points p; at ∞, over all of them.
// C1: x (x² − 1) (x² − 1/4) (x² − 4).
ALWAYS_INLINE void c1_points_of(const vf d[8], vf at[C1_POINTS])
{
	at[0] = vf_fma(vf_set1(5.25f), d[2] - d[4], d[6] - d[0]);
	points_of_pair(d + 1, 1, 1, -4.25f, at + 1);
	points_of_pair(d + 1, 0.5f, 4, -5, at + 3);
	points_of_pair(d + 1, 2, 0.25f, -1.25f, at + 5);
	at[7] = vf_fma(vf_set1(5.25f), d[3] - d[5], d[7] - d[1]);
}

// C3: x (x + 4) (x² − 1) (x² − 1/4) (x² − 9/4); all but −4 have a factor x + 4.
ALWAYS_INLINE void c3_points_of(const vf d[9], vf at[C3_POINTS])
{
	vf t[8];
	UNROLLED(8, i, 8)
		t[i] = vf_fma(vf_set1(4), d[i], d[i + 1]);
	at[0] = even6(t, -0.5625f, 3.0625f, -3.5f);
	points_of_pair(t + 1, 1, 0.5625f, -2.5f, at + 1);
	points_of_pair(t + 1, 0.5f, 2.25f, -3.25f, at + 3);
	points_of_pair(t + 1, 1.5f, 0.25f, -1.25f, at + 5);
	at[7] = even6(d + 1, -0.5625f, 3.0625f, -3.5f);
	at[8] = even6(t + 1, -0.5625f, 3.0625f, -3.5f);
}

// Sums and differences of the values at three pairs of points a and −a, from which outputs are found: row y of a tile has the sums
// times aʸ if y is even, the differences if it is odd.
struct pairs {
	vf sum[3], difference[3];
};

ALWAYS_INLINE struct pairs pairs_of(const vf at[6])
{
	struct pairs p;
	UNROLLED(3, i, 3) {
		p.sum[i] = at[2 * i] + at[2 * i + 1];
		p.difference[i] = at[2 * i] - at[2 * i + 1];
	}
	return p;
}

// pair[0] + a1·pair[1] + a2·pair[2]
ALWAYS_INLINE vf weigh(const vf pair[3], float a1, float a2)
{
	return vf_fma(vf_set1(a2), pair[2], vf_fma(vf_set1(a1), pair[1], pair[0]));
}

// input: as in struct isa_maps. Columns 14 and 15 of points hold anything finite.
static inline void input_points(const float *input, struct isa_points *points)
{
	for (int tile = 0; tile < C1_TILES; tile++)
		VF_EACH(lane, 32) {
			vf rows[C1_TILE + 4], at[C1_POINTS];
			UNROLLED(8, y, C1_TILE + 4)
				rows[y] = vf_load(&input[(C1_TILE * tile + y) * 32 + lane]);
			c1_points_of(rows, at);
			UNROLLED(8, point, C1_POINTS)
				vf_store(&points->input[tile][point][lane], at[point]);
		}
}

static inline void s2_points(const float s2[N_MAPS1][14][16], struct isa_points *points)
{
	for (int tile = 0; tile < C3_TILES; tile++)
		for (int map = 0; map < N_MAPS1; map++)
			VF_EACH(lane, 16) {
				vf rows[C3_TILE + 4], at[C3_POINTS];
				UNROLLED(9, y, C3_TILE + 4)
					rows[y] = vf_load(&s2[map][C3_TILE * tile + y][lane]);
				c3_points_of(rows, at);
				UNROLLED(9, point, C3_POINTS)
					vf_store(&points->s2[tile][map][point][lane], at[point]);
			}
}

// To sums of C1, the products at a point. in: the point's even and odd columns. sums[map][even or odd column].
ALWAYS_INLINE void add_c1_point(const float weight[5][8], const float in[2 * 16], int lane, int map, vf sums[C1_BLOCK][2])
{
	UNROLLED(5, kx, 5)
		UNROLLED(2, m, C1_BLOCK)
			UNROLLED(2, odd, 2)
				sums[m][odd] = vf_fma(vf_load(&in[(kx + odd) % 2 * 16 + lane + (kx + odd) / 2]),
						      vf_set1(weight[kx][map + m]), sums[m][odd]);
}

// C1 before pooling, once there are input_points: maps map..map + C1_BLOCK, a tile of rows, columns 2·lane.. and the odd ones beside
// them. pixels[map][row][even or odd column]. The sums at 0 and ∞ are of one row each, and start from what the others make of it.
ALWAYS_INLINE void convolve_c1(const struct isa_network *n, const struct isa_points *points, int tile, int lane, int map,
			       vf pixels[C1_BLOCK][C1_TILE][2])
{
	const float(*weight)[5][8] = n->winograd->c1_weight, (*in)[2 * 16] = points->input[tile];
	vf sums[C1_POINTS][C1_BLOCK][2];
	UNROLL(6)
	for (int point = 1; point < C1_POINTS - 1; point++) {
		UNROLLED(2, m, C1_BLOCK)
			sums[point][m][0] = sums[point][m][1] = vf_set1(point == 1 ? n->params->c1_bias[map + m] : 0.0f);
		add_c1_point(weight[point], in[point], lane, map, sums[point]);
	}
	UNROLLED(2, m, C1_BLOCK)
		UNROLLED(2, x, 2) {
			const vf at[] = {
				sums[1][m][x], sums[2][m][x], sums[3][m][x], sums[4][m][x], sums[5][m][x], sums[6][m][x]
			};
			struct pairs p = pairs_of(at);
			sums[0][m][x] = p.sum[0] + (p.sum[1] + p.sum[2]);
			pixels[m][1][x] = weigh(p.difference, 0.5f, 2);
			pixels[m][2][x] = weigh(p.sum, 0.25f, 4);
			sums[7][m][x] = weigh(p.difference, 0.125f, 8);
		}
	add_c1_point(weight[0], in[0], lane, map, sums[0]);
	add_c1_point(weight[7], in[7], lane, map, sums[7]);
	UNROLLED(2, m, C1_BLOCK)
		UNROLLED(2, x, 2) {
			pixels[m][0][x] = sums[0][m][x];
			pixels[m][3][x] = sums[7][m][x];
		}
}

// The sums of C3 at the points, once there are s2_points, into points->c3.
NOINLINE void sum_c3(const struct isa_winograd *w, struct isa_points *points)
{
	for (int point = 0; point < C3_POINTS; point++)
		for (int tile = 0; tile < C3_TILES; tile++)
			VF_EACH(out, N_MAPS3) {
				vf sums[10];
				UNROLLED(10, x, 10)
					sums[x] = vf_set1(0.0f);
				for (int map = 0; map < N_MAPS1; map++)
					UNROLLED(5, kx, 5) {
						vf weight = vf_load(&w->c3_weight[point][map][kx][out]);
						UNROLLED(10, x, 10)
							sums[x] = vf_fma(vf_set1(points->s2[tile][map][point][x + kx]), weight,
									 sums[x]);
					}
				UNROLLED(10, x, 10)
					vf_store(&points->c3[tile][point][x][out], sums[x]);
			}
}

// From sum_c3's sums, column x of C3 before pooling, maps from `map` on. pixels[row].
ALWAYS_INLINE void c3_column(const struct isa_network *n, const struct isa_points *points, int x, int map, vf pixels[10])
{
	UNROLLED(2, tile, C3_TILES) {
		vf at[C3_POINTS], *rows = &pixels[C3_TILE * tile];
		UNROLLED(9, point, C3_POINTS)
			at[point] = vf_load(&points->c3[tile][point][x][map]);
		at[1] += vf_load(&n->params->c3_bias[map]);
		struct pairs p = pairs_of(at + 1);
		rows[0] = ((p.sum[0] + p.sum[1]) + (p.sum[2] + at[7])) + at[0];
		rows[1] = vf_fma(vf_set1(-4), at[7], weigh(p.difference, 0.5f, 1.5f));
		rows[2] = vf_fma(vf_set1(16), at[7], weigh(p.sum, 0.25f, 2.25f));
		rows[3] = vf_fma(vf_set1(-64), at[7], weigh(p.difference, 0.125f, 3.375f));
		rows[4] = vf_fma(vf_set1(256), at[7], weigh(p.sum, 0.0625f, 5.0625f)) + at[8];
	}
}

static inline void c1_pixels(const struct isa_network *n, const struct isa_points *points, float c1[N_MAPS1][28][2][16])
{
	for (int tile = 0; tile < C1_TILES; tile++)
		VF_EACH(lane, 16)
			for (int map = 0; map < N_MAPS1; map += C1_BLOCK) {
				vf pixels[C1_BLOCK][C1_TILE][2];
				convolve_c1(n, points, tile, lane, map, pixels);
				UNROLLED(2, m, C1_BLOCK)
					UNROLLED(8, i, 2 * C1_TILE)
						vf_store(&c1[map + m][C1_TILE * tile + i / 2][i % 2][lane],
							 pixels[m][i / 2][i % 2]);
			}
}

// Once there is sum_c3.
static inline void c3_pixels(const struct isa_network *n, const struct isa_points *points, float c3[100][N_MAPS3])
{
	for (int x = 0; x < 10; x++)
		VF_EACH(map, N_MAPS3) {
			vf pixels[10];
			c3_column(n, points, x, map, pixels);
			UNROLLED(10, y, 10)
				vf_store(&c3[y * 10 + x][map], pixels[y]);
		}
}
