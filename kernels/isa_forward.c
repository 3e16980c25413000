// Inference for one instruction set (see isa_layers.h for how), the same network written plainly for a look inside, and
// the arithmetic peak that both are measured against.
#include "kernels/isa_layers.h"

#include <string.h>
#include <time.h>

// What a group of pictures needs on its way through the full layers.
struct row {
	float s4[N_S4], c5[C5_STRIDE], f6[F6_STRIDE], scores[SCORES_STRIDE];
} __attribute__((aligned(64)));

enum { STRIDE = sizeof(struct row) / sizeof(float) };

// C5's weights, 200 KiB, come from the second-level cache. A picture alone uses each once and would wait for them: so C5 takes S4
// row by row, and while C3, whose weights are at hand, computes a row, part of C5's for it is fetched.
static void forward_one(const struct isa_network *n, struct isa_maps *maps, struct isa_points *points, struct row *row)
{
	enum { ROW_INPUTS = N_S4 / 5 };
	const struct isa_params *w = n->params;
	s2_points(maps->s2, points);
	for (int y = 0; y < 5; y++) {
		const float *weight = w->c5_weight[y * ROW_INPUTS];
		forward_c3_row(n, points, y, row->s4, weight);
		full_block(weight, C5_STRIDE, y ? row->c5 : w->c5_bias, &row->s4[y * ROW_INPUTS], STRIDE, ROW_INPUTS, row->c5, STRIDE,
			   1, C5_BLOCK(1));
	}
	forward_f6(n, 1, STRIDE, row->c5, row->f6);
	forward_scores(n, 1, STRIDE, row->f6, row->scores);
}

void ISA_NAME(isa_forward)(const struct isa_network *n, const float *ink, int pictures, float *scores)
{
	struct isa_maps maps;
	struct isa_points points;
	struct row rows[GROUP];
	for (int p = 0; p < pictures; p++) {
		lay_out_input(n, ink + p * LENET5_PIXELS, maps.input);
		forward_c1(n, &maps, &points);
		if (pictures > 1)
			forward_c3(n, &maps, &points, rows[p].s4);
	}
#define CALL(count) forward_full(n, count, STRIDE, rows[0].s4, rows[0].c5, rows[0].f6, rows[0].scores)
	switch (pictures) {
	case 1: forward_one(n, &maps, &points, rows); break;
	case 2: CALL(2); break;
	case 3: CALL(3); break;
	default: CALL(4); break;
	}
#undef CALL
	for (int p = 0; p < pictures; p++)
		memcpy(scores + p * LENET5_DIGITS, rows[p].scores, LENET5_DIGITS * sizeof *scores);
}

// The pixels of C1 and C3, which the passes above see four at a time and forget, are computed once more.
void ISA_NAME(isa_trace)(const struct isa_network *n, const float *ink, struct engine_trace *t)
{
	struct isa_maps maps;
	struct isa_points points;
	struct isa_pixels pixels;
	struct row row;
	lay_out_input(n, ink, maps.input);
	forward_c1(n, &maps, &points);
	forward_c3(n, &maps, &points, row.s4);
	forward_full(n, 1, STRIDE, row.s4, row.c5, row.f6, row.scores);
	c1_pixels(n, &points, pixels.c1);
	c3_pixels(n, &points, pixels.c3);
	trace_maps(maps.input, &pixels, maps.s2, row.s4, t);
	memcpy(t->c5, row.c5, sizeof t->c5);
	memcpy(t->f6, row.f6, sizeof t->f6);
	memcpy(t->output, row.scores, sizeof t->output);
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
		UNROLL(12)
		for (int i = 0; i < CHAINS; i++)
			sums[i] = vf_set1(start) + vf_set1((float)i);
		for (int round = 0; round < ROUNDS; round++)
			UNROLL(12)
			for (int i = 0; i < CHAINS; i++)
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
