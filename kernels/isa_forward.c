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
static void forward_one(const struct isa_network *n, struct isa_maps *maps, struct row *row)
{
	enum { ROW_INPUTS = N_S4 / 5 };
	const struct isa_params *w = n->params;
	for (int y = 0; y < 5; y++) {
		const float *weight = w->c5_weight[y * ROW_INPUTS];
		forward_c3_row(n, maps, y, row->s4, false, weight);
		full_block(weight, C5_STRIDE, y ? row->c5 : w->c5_bias, &row->s4[y * ROW_INPUTS], STRIDE, ROW_INPUTS, row->c5, STRIDE,
			   1, C5_BLOCK(1));
	}
	forward_f6(n, 1, STRIDE, row->c5, row->f6);
	forward_scores(n, 1, STRIDE, row->f6, row->scores);
}

void ISA_NAME(isa_forward)(const struct isa_network *n, const float *ink, int pictures, float *scores)
{
	struct isa_maps maps;
	struct row rows[GROUP];
	for (int p = 0; p < pictures; p++) {
		lay_out_input(n, ink + p * LENET5_PIXELS, maps.input);
		forward_c1(n, &maps, false);
		if (pictures > 1)
			forward_c3(n, &maps, rows[p].s4, false);
	}
#define CALL(count) forward_full(n, count, STRIDE, rows[0].s4, rows[0].c5, rows[0].f6, rows[0].scores)
	switch (pictures) {
	case 1: forward_one(n, &maps, rows); break;
	case 2: CALL(2); break;
	case 3: CALL(3); break;
	default: CALL(4); break;
	}
#undef CALL
	for (int p = 0; p < pictures; p++)
		memcpy(scores + p * LENET5_DIGITS, rows[p].scores, LENET5_DIGITS * sizeof *scores);
}

// One fused multiply-add with the rounding of the vectors'.
static float fma1(float a, float b, float c)
{
	float out[VF_LANES];
	vf_store(out, vf_fma(vf_set1(a), vf_set1(b), vf_set1(c)));
	return out[0];
}

static void activate_all(enum lenet5_activation activation, float *values, int n)
{
	for (int i = 0; i < n; i++) {
		float out[VF_LANES];
		vf_store(out, activate(activation, vf_set1(values[i])));
		values[i] = out[0];
	}
}

static float max2x2(const float *map, int width, int y, int x)
{
	const float *a = map + 2 * y * width + 2 * x, *b = a + width;
	float top = a[0] > a[1] ? a[0] : a[1], bottom = b[0] > b[1] ? b[0] : b[1];
	return top > bottom ? top : bottom;
}

static void pool_maps(const float *from, int n_maps, int width, float *to)
{
	int half = width / 2;
	for (int map = 0; map < n_maps; map++)
		for (int y = 0; y < half; y++)
			for (int x = 0; x < half; x++)
				to[(map * half + y) * half + x] = max2x2(from + map * width * width, width, y, x);
}

// The order of every sum is that of isa_layers.h, so that the output has the same bits.
void ISA_NAME(isa_trace)(const struct isa_network *n, const float *ink, struct engine_trace *t)
{
	const struct isa_params *w = n->params;
	for (int y = 0; y < 32; y++)
		for (int x = 0; x < 32; x++) {
			bool inside = y >= 2 && y < 30 && x >= 2 && x < 30;
			t->input[y * 32 + x] = normalised(n, inside ? ink[(y - 2) * LENET5_SIDE + x - 2] : 0.0f);
		}

	for (int map = 0; map < N_MAPS1; map++)
		for (int y = 0; y < 28; y++)
			for (int x = 0; x < 28; x++) {
				float sum = w->c1_bias[map];
				for (int tap = 0; tap < N_TAPS; tap++)
					sum = fma1(t->input[(y + tap / 5) * 32 + x + tap % 5],
						   w->c1_weight[map][tap / 5][tap % 5], sum);
				t->c1[(map * 28 + y) * 28 + x] = sum;
			}
	activate_all(n->net->activation[LENET5_C1], t->c1, 6 * 28 * 28);
	pool_maps(t->c1, N_MAPS1, 28, t->s2);
	activate_all(n->net->activation[LENET5_S2], t->s2, 6 * 14 * 14);

	for (int map = 0; map < N_MAPS3; map++)
		for (int y = 0; y < 10; y++)
			for (int x = 0; x < 10; x++) {
				float sum = w->c3_bias[map];
				for (int in = 0; in < N_MAPS1; in++)
					for (int tap = 0; tap < N_TAPS; tap++)
						sum = fma1(t->s2[(in * 14 + y + tap / 5) * 14 + x + tap % 5],
							   w->c3_weight[in][tap][map], sum);
				t->c3[(map * 10 + y) * 10 + x] = sum;
			}
	activate_all(n->net->activation[LENET5_C3], t->c3, 16 * 10 * 10);
	pool_maps(t->c3, N_MAPS3, 10, t->s4);
	activate_all(n->net->activation[LENET5_S4], t->s4, 16 * 5 * 5);

	for (int unit = 0; unit < N_C5; unit++) {
		float sum = w->c5_bias[unit];
		for (int i = 0; i < N_S4; i++)
			sum = fma1(t->s4[i % N_MAPS3 * 25 + i / N_MAPS3], w->c5_weight[i][unit], sum);
		t->c5[unit] = sum;
	}
	activate_all(n->net->activation[LENET5_C5], t->c5, N_C5);
	for (int unit = 0; unit < N_F6; unit++) {
		float sum = w->f6_bias[unit];
		for (int i = 0; i < N_C5; i++)
			sum = fma1(t->c5[i], w->f6_weight[i][unit], sum);
		t->f6[unit] = sum;
	}
	activate_all(n->net->activation[LENET5_F6], t->f6, N_F6);
	for (int unit = 0; unit < LENET5_DIGITS; unit++) {
		float sum = w->output_bias[unit];
		for (int i = 0; i < N_F6; i++)
			sum = fma1(t->f6[i], w->output_weight[i][unit], sum);
		t->output[unit] = sum;
	}
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
