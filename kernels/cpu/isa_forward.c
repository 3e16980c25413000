// Inference for one instruction set (see isa_layers.h for how), a look inside, and the arithmetic peak that it is measured against.
#include "kernels/cpu/isa_winograd.h"

#include <string.h>
#include <time.h>

// C1 and S2, into maps->s2.
NOINLINE void forward_c1(const struct isa_network *n, struct isa_maps *maps, struct isa_points *points)
{
	enum lenet5_activation activation = n->net->activation[LENET5_S2];
	input_points(maps->input, points);
	for (int tile = 0; tile < C1_TILES; tile++)
		VF_EACH(lane, 16)
			for (int map = 0; map < N_MAPS1; map += C1_BLOCK) {
				vf pixels[C1_BLOCK][C1_TILE][2];
				convolve_c1(n, points, tile, lane, map, pixels);
				UNROLLED(2, m, C1_BLOCK)
					UNROLLED(2, y, 2)
						vf_store(&maps->s2[map + m][2 * tile + y][lane],
							 activate(activation, pool(pixels[m][2 * y])));
			}
}

// C3 and S4, into s4 (25, 16).
NOINLINE void forward_c3(const struct isa_network *n, const struct isa_maps *maps, struct isa_points *points, float *s4)
{
	enum lenet5_activation activation = n->net->activation[LENET5_S4];
	s2_points(maps->s2, points);
	sum_c3(n->winograd, points);
	for (int x = 0; x < 5; x++)
		VF_EACH(map, N_MAPS3) {
			vf left[10], right[10];
			c3_column(n, points, 2 * x, map, left);
			c3_column(n, points, 2 * x + 1, map, right);
			UNROLLED(5, y, 5) {
				const vf window[] = { left[2 * y], right[2 * y], left[2 * y + 1], right[2 * y + 1] };
				vf_store(&s4[(y * 5 + x) * N_MAPS3 + map], activate(activation, pool(window)));
			}
		}
}

void ISA_NAME(isa_forward)(const struct isa_network *n, const float *ink, int pictures, float *scores)
{
	struct isa_maps maps;
	struct isa_points points;
	struct isa_row rows[GROUP];
	for (int p = 0; p < pictures; p++) {
		lay_out_input(n, ink + p * LENET5_PIXELS, maps.input);
		forward_c1(n, &maps, &points);
		forward_c3(n, &maps, &points, rows[p].s4);
	}
#define CALL(count) forward_full(n, count, ROW_STRIDE, rows[0].s4, rows[0].c5, rows[0].f6, rows[0].scores)
	FOR_PICTURES(pictures, CALL)
#undef CALL
	for (int p = 0; p < pictures; p++)
		memcpy(scores + p * LENET5_DIGITS, rows[p].scores, LENET5_DIGITS * sizeof *scores);
}

// The pixels of C1 and C3, which the pass above pools at once, are put together again.
void ISA_NAME(isa_trace)(const struct isa_network *n, const float *ink, struct engine_trace *t)
{
	struct isa_maps maps;
	struct isa_points points;
	struct isa_pixels pixels;
	struct isa_row row;
	lay_out_input(n, ink, maps.input);
	forward_c1(n, &maps, &points);
	forward_c3(n, &maps, &points, row.s4);
	forward_full(n, 1, ROW_STRIDE, row.s4, row.c5, row.f6, row.scores);
	c1_pixels(n, &points, pixels.c1);
	c3_pixels(n, &points, pixels.c3);
	write_trace(maps.input, &pixels, maps.s2, &row, t);
}

double ISA_NAME(isa_peak)(double seconds)
{
	enum { CHAINS = 12, ROUNDS = 10000 }; // chains enough to hide the latency, few enough for 16 registers
	vf sums[CHAINS], a = vf_set1(0.999f), b = vf_set1(0.001f);
	volatile float start = 1; // so that the compiler can leave nothing out
	double best = 0, spent = 0;
	while (spent < seconds) {
		struct timespec from, to;
		clock_gettime(CLOCK_MONOTONIC, &from);
		UNROLLED(12, i, CHAINS)
			sums[i] = vf_set1(start) + vf_set1((float)i);
		for (int round = 0; round < ROUNDS; round++)
			UNROLLED(12, i, CHAINS)
				sums[i] = vf_fma(sums[i], a, b);
		vf total = sums[0];
		UNROLL(12)
		for (int i = 1; i < CHAINS; i++)
			total = vf_max(total, sums[i]);
		float out[VF_LANES];
		vf_store(out, total);
		start = out[0];
		clock_gettime(CLOCK_MONOTONIC, &to);
		double took = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
		double rate = 2.0 * VF_LANES * CHAINS * ROUNDS / took;
		best = rate > best ? rate : best;
		spent += took;
	}
	return best;
}
