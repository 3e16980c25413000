// C1 and C3, whose sums the CPU engine finds with fewer multiplications than there are products (kernels/cpu/isa_winograd.h), against
// the plain sums in double, pixel by pixel; and S2 and S4 against the pixels that they are the largest of.
#include "tests/unit/engines.h"
#include "tests/unit/test.h"

#include <math.h>
#include <string.h>

enum { N_PARAMS = 61740, N_PICTURES = 8 };

static const double BOUND =
	1e-6; // the worst layer, network and instruction set here: 6.5e-7, C3's with plain multiplications and additions

static const float *tensor(const struct lenet5 *net, const float *params, enum lenet5_parameter which)
{
	for (int t = 0; t < net->n_tensors; t++)
		if (net->tensors[t].parameter == which)
			return params + net->tensors[t].offset;
	return NULL;
}

// (n_in, side, side) → (n_out, side − 4, side − 4)
static void convolve(const float *weight, const float *bias, enum lenet5_activation activation, const float *in, int n_in, int side,
		     int n_out, float *out)
{
	for (int map = 0; map < n_out; map++)
		for (int y = 0; y < side - 4; y++)
			for (int x = 0; x < side - 4; x++) {
				double sum = (double)bias[map];
				for (int from = 0; from < n_in; from++)
					for (int tap = 0; tap < 25; tap++)
						sum += (double)weight[(map * n_in + from) * 25 + tap] *
						       (double)in[(from * side + y + tap / 5) * side + x + tap % 5];
				*out++ = (float)(activation == LENET5_SQUASH ? 1.7159 * tanh(sum * 2 / 3) : sum);
			}
}

// ReLU of each window's largest, (n_maps, side, side) → (n_maps, side / 2, side / 2).
static void pool(const float *in, int n_maps, int side, float *out)
{
	for (int map = 0; map < n_maps; map++)
		for (int y = 0; y < side; y += 2)
			for (int x = 0; x < side; x += 2) {
				const float *a = &in[(map * side + y) * side + x], *b = a + side;
				*out++ = fmaxf(0, fmaxf(fmaxf(a[0], a[1]), fmaxf(b[0], b[1])));
			}
}

static void check_pixels(const struct engine *engine, const struct lenet5 *net, const float *params, const struct engine_trace *t)
{
	static float c1[6 * 28 * 28], c3[16 * 10 * 10], s2[6 * 14 * 14], s4[16 * 5 * 5];
	convolve(tensor(net, params, LENET5_C1_WEIGHT), tensor(net, params, LENET5_C1_BIAS), net->activation[LENET5_C1], t->input,
		 1, 32, 6, c1);
	convolve(tensor(net, params, LENET5_C3_WEIGHT), tensor(net, params, LENET5_C3_BIAS), net->activation[LENET5_C3], t->s2, 6,
		 14, 16, c3);
	double of_c1 = test_error(t->c1, c1, sizeof c1 / sizeof *c1), of_c3 = test_error(t->c3, c3, sizeof c3 / sizeof *c3);
	CHECK_MSG(of_c1 <= BOUND, "%s, %s: c1: error %.2e, bound %.0e", engine->name, net->name, of_c1, BOUND);
	CHECK_MSG(of_c3 <= BOUND, "%s, %s: c3: error %.2e, bound %.0e", engine->name, net->name, of_c3, BOUND);
	if (net->activation[LENET5_S2] != LENET5_RELU)
		return;
	pool(t->c1, 6, 28, s2);
	pool(t->c3, 16, 10, s4);
	CHECK_MSG(memcmp(t->s2, s2, sizeof s2) == 0, "%s: s2", engine->name);
	CHECK_MSG(memcmp(t->s4, s4, sizeof s4) == 0, "%s: s4", engine->name);
}

TEST(convolution_is_the_plain_sum)
{
	static float params[N_PARAMS], ink[LENET5_PIXELS];
	static struct engine_trace trace;
	struct engine *engine;
	struct err e;
	for (int i = 0; (engine = engines_next(&i)); engine_close(engine))
		for (int k = 0; k < 3 * N_PICTURES; k++) {
			const struct lenet5 *net = lenet5_at(k % 3);
			const struct engine_network n = { net, net->mean, net->std, params };
			struct engine_model *model;
			struct engine_context *context;
			struct rng rng;
			rng_init(&rng, (uint64_t)k);
			lenet5_init(net, &rng, params);
			for (int p = 0; p < LENET5_PIXELS; p++)
				ink[p] = rng_below(&rng, 3) ? (float)rng_below(&rng, 256) / 255 : 0;
			CHECK(engine_model_new(engine, &n, &model, &e) == 0 &&
			      engine_context_open(engine, 1, 1, &context, &e) == 0);
			CHECK(engine_trace(context, model, ink, &trace, &e) == 0);
			check_pixels(engine, net, params, &trace);
			engine_context_close(context);
			engine_model_unref(model);
		}
}
