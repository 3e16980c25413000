// isa_direct: C1 and C3 in training. Each sum is one chain of multiply-adds that starts at its bias. Inference computes the same layers
// with fewer multiplications (isa_winograd.h); in training that would gain a tenth and change every file trained so far.
#pragma once

#include "kernels/cpu/isa_layers.h"

// How much fits the registers: maps of C1 at once; columns of C3 and weights of a row. MAP_VECTORS: C3's maps.
enum { DIRECT_MAPS = 3, MAP_VECTORS = N_MAPS3 / VF_LANES };
#if defined __AVX512F__
enum { DIRECT_COLUMNS = 10, DIRECT_TAPS = 5 };
#else
enum { DIRECT_COLUMNS = 2, DIRECT_TAPS = 1 };
#endif

// C1 before pooling: maps map..map + DIRECT_MAPS, a row of S2's windows, 16 columns from `lane` on. sums[map][pixel of the window].
ALWAYS_INLINE void direct_c1(const struct isa_params *w, const float *input, int y, int lane, int map, vf sums[DIRECT_MAPS][4])
{
	UNROLLED(3, m, DIRECT_MAPS)
		UNROLLED(4, i, 4)
			sums[m][i] = vf_set1(w->c1_bias[map + m]);
	UNROLLED(5, ky, 5)
		UNROLLED(5, kx, 5)
			UNROLLED(4, i, 4) {
				int column = kx + (i & 1);
				vf in = vf_load(&input[(2 * y + ky + (i >> 1)) * 32 + (column & 1) * 16 + column / 2 + lane]);
				UNROLLED(3, m, DIRECT_MAPS)
					sums[m][i] = vf_fma(in, vf_set1(w->c1_weight[map + m][ky][kx]), sums[m][i]);
			}
}

// To the sums of direct_c3, what row ky of the weights of map `map` of S2 adds. A pixel is broadcast once for DIRECT_TAPS weights.
ALWAYS_INLINE void direct_c3_row(const struct isa_params *w, const float (*s2)[14][16], int map, int ky, int y, int x,
				 vf sums[DIRECT_COLUMNS / 2][MAP_VECTORS][4])
{
	UNROLL(5)
	for (int kx = 0; kx < 5; kx += DIRECT_TAPS) {
		vf weights[DIRECT_TAPS][MAP_VECTORS];
		UNROLLED(5, t, DIRECT_TAPS)
			UNROLLED(4, v, MAP_VECTORS)
				weights[t][v] = vf_load(&w->c3_weight[map][ky * 5 + kx + t][v * VF_LANES]);
		UNROLLED(2, row, 2)
			UNROLLED(14, from, DIRECT_COLUMNS + DIRECT_TAPS - 1) {
				vf in = vf_set1(s2[map][2 * y + ky + row][x + kx + from]);
				UNROLLED(5, t, DIRECT_TAPS) {
					int to = from - t;
					if (to < 0 || to >= DIRECT_COLUMNS)
						continue;
					UNROLLED(4, v, MAP_VECTORS) {
						vf *sum = &sums[to / 2][v][2 * row + to % 2];
						*sum = vf_fma(in, weights[t][v], *sum);
					}
				}
			}
	}
}

// C3 before pooling: DIRECT_COLUMNS / 2 of S4's windows side by side, from column x of C3 on. sums[window][map][pixel of the window].
ALWAYS_INLINE void direct_c3(const struct isa_params *w, const float (*s2)[14][16], int y, int x,
			     vf sums[DIRECT_COLUMNS / 2][MAP_VECTORS][4])
{
	UNROLLED(5, c, DIRECT_COLUMNS / 2)
		UNROLLED(4, v, MAP_VECTORS)
			UNROLLED(4, i, 4)
				sums[c][v][i] = vf_load(&w->c3_bias[v * VF_LANES]);
	for (int map = 0; map < N_MAPS1; map++)
		for (int ky = 0; ky < 5; ky++)
			direct_c3_row(w, s2, map, ky, y, x, sums);
}
