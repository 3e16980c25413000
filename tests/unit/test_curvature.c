// The curvature of 1998 against the paper's appendix C written down once more, plainly and in double, from every layer's output
// as engine_trace shows it. Where it starts, at F6's outputs, it is measured: a second difference of the loss itself.
#include "core/idx.h"
#include "core/safetensors.h"
#include "tests/unit/engines.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_PARAMS = 61740, N = 21 }; // pictures: two chunks of the CPU's and some
static const float J = 0.1f, MU = 0.02f;

static struct idx data;
static float params[N_PARAMS]; // after 400 steps: some wrong classes still count
static const struct lenet5 *net;
static const uint32_t order[N] = { 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 5 };

static void set_up(void)
{
	struct safetensors file;
	struct err e = { "" };
	net = lenet5_find("1998", &e);
	CHECK_MSG(safetensors_read("tests/golden/1998-after400.safetensors", 1 << 20, &file, &e) == 0 &&
			  idx_read("tests/data", IDX_TRAIN, &data, &e) == 0,
		  "%s", e.msg);
	for (int t = 0; t < net->n_tensors; t++)
		CHECK(safetensors_floats(&file, net->tensors[t].name, net->tensors[t].count, params + net->tensors[t].offset, &e) ==
		      0);
	safetensors_free(&file);
}

static void tear_down(void)
{
	idx_free(&data);
}

static struct engine_trainer *open_trainer(struct engine *engine, enum engine_loss loss, int batch, int n_threads,
					   const float *curvature)
{
	struct engine_trainer *trainer = NULL;
	struct err e = { "" };
	const struct engine_training training = { .start = { net, net->mean, net->std, params },
						  .loss = loss,
						  .j = J,
						  .batch = batch,
						  .n_threads = n_threads,
						  .curvature = curvature,
						  .mu = MU };
	CHECK_MSG(engine_trainer_open(engine, &training, &trainer, &e) == 0, "%s", e.msg);
	CHECK(engine_trainer_data(trainer, data.pixels, data.labels, data.n, &e) == 0);
	return trainer;
}

static void estimate(struct engine_trainer *trainer, float *curvature)
{
	struct err e = { "" };
	CHECK_MSG(engine_trainer_curvature(trainer, order, N, curvature, &e) == 0, "%s", e.msg);
}

// Where a tensor lies in an array of n_params.
static size_t at(enum lenet5_parameter parameter)
{
	for (int t = 0; t < net->n_tensors; t++)
		if (net->tensors[t].parameter == parameter)
			return net->tensors[t].offset;
	abort();
}

static double loss_of(enum engine_loss loss, const double *x, int label)
{
	double sum = exp(-(double)J), right = 0;
	for (int i = 0; i < 10; i++) {
		double y = 0;
		for (int k = 0; k < 84; k++) {
			double d = x[k] - (double)params[at(LENET5_OUTPUT_WEIGHT) + (size_t)(i * 84 + k)];
			y += d * d;
		}
		sum += exp(-y);
		right = i == label ? y : right;
	}
	return loss == ENGINE_MAP ? right + log(sum) : right;
}

static double slope2(float y) // the squared slope of 1.7159·tanh(2a/3)
{
	double slope = 2.0 / 3 * (1.7159 - (double)y * (double)y / 1.7159);
	return slope * slope;
}

static double square(float x)
{
	return (double)x * (double)x;
}

// A full layer: its h by its outputs, out (n_out), in → by its inputs' outputs, below (n_in).
static void full(int n_out, int n_in, const float *y, const float *x, enum lenet5_parameter weight, const double *out,
		 double *below, double *h)
{
	memset(below, 0, (size_t)n_in * sizeof *below);
	for (int u = 0; u < n_out; u++) {
		double before = slope2(y[u]) * out[u];
		h[at(weight + 1) + (size_t)u] += before;
		for (int i = 0; i < n_in; i++) {
			size_t w = at(weight) + (size_t)(u * n_in + i);
			h[w] += before * square(x[i]);
			below[i] += before * square(params[w]);
		}
	}
}

// Subsampling: y (maps, side, side) of x (maps, 2·side, 2·side).
static void subsample(int maps, int side, const float *y, const float *x, enum lenet5_parameter weight, const double *out,
		      double *below, double *h)
{
	for (int m = 0; m < maps; m++)
		for (int p = 0; p < side * side; p++) {
			int corner = m * 4 * side * side + p / side * 4 * side + p % side * 2;
			int window[4] = { corner, corner + 1, corner + 2 * side, corner + 2 * side + 1 };
			double before = slope2(y[m * side * side + p]) * out[m * side * side + p], sum = 0;
			for (int i = 0; i < 4; i++) {
				sum += (double)x[window[i]];
				below[window[i]] = before * square(params[at(weight) + (size_t)m]);
			}
			h[at(weight) + (size_t)m] += before * sum * sum;
			h[at(weight + 1) + (size_t)m] += before;
		}
}

// A convolution: y (n_out, side, side) of x (n_in, side + 4, side + 4), over the links that there are.
static void convolve(int n_out, int n_in, int side, const float *y, const float *x, enum lenet5_parameter weight, const double *out,
		     double *below, double *h)
{
	int wide = side + 4;
	memset(below, 0, (size_t)(n_in * wide * wide) * sizeof *below);
	for (int m = 0; m < n_out; m++)
		for (int p = 0; p < side * side; p++) {
			double before = slope2(y[m * side * side + p]) * out[m * side * side + p];
			h[at(weight + 1) + (size_t)m] += before;
			for (int i = 0; i < n_in; i++)
				for (int tap = 0; tap < 25; tap++) {
					int from = i * wide * wide + (p / side + tap / 5) * wide + p % side + tap % 5;
					size_t w = at(weight) + (size_t)((m * n_in + i) * 25 + tap);
					if (n_in > 1 && !(net->c3_links[m] >> i & 1))
						continue;
					h[w] += before * square(x[from]);
					below[from] += before * square(params[w]);
				}
		}
}

// One picture's part of h.
static void add_appendix_c(const struct engine_trace *t, enum engine_loss loss, int label, double *h)
{
	static double f6[84], c5[120], s4[16 * 25], c3[16 * 100], s2[6 * 196], c1[6 * 784], input[32 * 32];
	double x[84];
	const double step = 1e-3;
	for (int i = 0; i < 84; i++)
		x[i] = (double)t->f6[i];
	for (int i = 0; i < 84; i++) {
		double here = x[i], value = loss_of(loss, x, label);
		x[i] = here + step;
		double above = loss_of(loss, x, label);
		x[i] = here - step;
		f6[i] = (above - 2 * value + loss_of(loss, x, label)) / (step * step);
		x[i] = here;
	}
	full(84, 120, t->f6, t->c5, LENET5_F6_WEIGHT, f6, c5, h);
	full(120, 400, t->c5, t->s4, LENET5_C5_WEIGHT, c5, s4, h);
	subsample(16, 5, t->s4, t->c3, LENET5_S4_WEIGHT, s4, c3, h);
	convolve(16, 6, 10, t->c3, t->s2, LENET5_C3_WEIGHT, c3, s2, h);
	subsample(6, 14, t->s2, t->c1, LENET5_S2_WEIGHT, s2, c1, h);
	convolve(6, 1, 28, t->c1, t->input, LENET5_C1_WEIGHT, c1, input, h);
}

static void appendix_c(struct engine *engine, enum engine_loss loss, float *curvature)
{
	static double h[N_PARAMS];
	const struct engine_network network = { net, net->mean, net->std, params };
	struct engine_model *model = NULL;
	struct engine_context *context = NULL;
	struct err e = { "" };
	memset(h, 0, sizeof h);
	CHECK(engine_model_new(engine, &network, &model, &e) == 0 && engine_context_open(engine, 1, 1, &context, &e) == 0);
	for (int i = 0; i < N; i++) {
		float ink[LENET5_PIXELS];
		struct engine_trace trace;
		for (int k = 0; k < LENET5_PIXELS; k++)
			ink[k] = (float)data.pixels[order[i] * LENET5_PIXELS + (uint32_t)k] / 255.0f;
		CHECK(engine_trace(context, model, ink, &trace, &e) == 0);
		add_appendix_c(&trace, loss, data.labels[order[i]], h);
	}
	for (int k = 0; k < N_PARAMS; k++)
		curvature[k] = (float)(h[k] / N);
	engine_context_close(context);
	engine_model_unref(model);
}

TEST(curvature_is_that_of_appendix_c)
{
	static float got[N_PARAMS], want[N_PARAMS];
	struct engine *engine;
	set_up();
	for (int i = 0; !getenv("TEST_ENGINE") && (engine = engines_next(&i)); engine_close(engine))
		for (enum engine_loss loss = ENGINE_MSE; loss <= ENGINE_MAP; loss++) {
			struct engine_trainer *trainer = open_trainer(engine, loss, 16, 2, NULL);
			estimate(trainer, got);
			appendix_c(engine, loss, want);
			for (int t = 0; t < net->n_tensors; t++) {
				const struct lenet5_tensor *tensor = &net->tensors[t];
				double error = test_error(got + tensor->offset, want + tensor->offset, tensor->count);
				bool same = memcmp(got + tensor->offset, want + tensor->offset, tensor->count * sizeof *got) == 0;
				CHECK_MSG(same || error < 1e-5, "%s, loss %d: %s: error %.2e", engine->name, (int)loss,
					  tensor->name, error);
				if (getenv("TEST_VERBOSE"))
					test_figure("%s, loss %d: %s: %.2e", engine->name, (int)loss, tensor->name, error);
			}
			engine_trainer_close(trainer);
		}
	tear_down();
}

// p − rate/(µ + h)·gradient, and p as it was where nothing is trained.
TEST(curvature_gives_each_parameter_its_rate)
{
	static float h[N_PARAMS], gradient[N_PARAMS], after[N_PARAMS];
	const float still = 0, rate = 0.01f;
	float loss;
	struct err e = { "" };
	struct engine *engine;
	set_up();
	for (int i = 0; !getenv("TEST_ENGINE") && (engine = engines_next(&i)); engine_close(engine)) {
		struct engine_trainer *trainer = open_trainer(engine, ENGINE_MAP, N, 1, NULL);
		estimate(trainer, h);
		CHECK(engine_trainer_steps(trainer, order, N, &still, &loss, &e) == 0);
		CHECK(engine_trainer_read(trainer, after, gradient, &e) == 0 && memcmp(after, params, sizeof params) == 0);
		CHECK(engine_trainer_steps(trainer, order, N, &rate, &loss, &e) == 0);
		CHECK(engine_trainer_read(trainer, after, NULL, &e) == 0);
		double squares = 0, errors = 0;
		for (int k = 0; k < N_PARAMS; k++) {
			double step = (double)rate / ((double)MU + (double)h[k]) * (double)gradient[k];
			double error = (double)after[k] - ((double)params[k] - step);
			squares += step * step;
			errors += error * error;
		}
		CHECK_MSG(sqrt(errors / squares) < 1e-4, "%s: %.2e", engine->name, sqrt(errors / squares));
		size_t centres = at(LENET5_OUTPUT_WEIGHT);
		CHECK(memcmp(after + centres, params + centres, 840 * sizeof *after) == 0 && h[centres] == 0);
		for (size_t k = at(LENET5_C3_WEIGHT), c = 0; c < 2400; c++, k++)
			CHECK(net->c3_links[c / 150] >> c % 150 / 25 & 1 ? h[k] > 0 : h[k] == 0 && after[k] == 0);
		engine_trainer_close(trainer);
	}
	tear_down();
}

TEST(curvature_bits)
{
	static float h[N_PARAMS], other[N_PARAMS], after[N_PARAMS], other_after[N_PARAMS];
	const float rates[N] = { 0.001f, 0.001f, 0.001f, 0.001f, 0.001f, 0.001f };
	float losses[N];
	struct err e = { "" };
	struct engine *engine;
	set_up();
	for (int i = 0; !getenv("TEST_ENGINE") && (engine = engines_next(&i)); engine_close(engine)) {
		struct engine_trainer *one = open_trainer(engine, ENGINE_MAP, 4, 1, NULL);
		estimate(one, h);
		CHECK(engine_trainer_steps(one, order, N, rates, losses, &e) == 0 &&
		      engine_trainer_read(one, after, NULL, &e) == 0);
		engine_trainer_close(one);

		struct engine_trainer *threads = open_trainer(engine, ENGINE_MAP, 1, 3, NULL); // another batch, other threads
		estimate(threads, other);
		CHECK_MSG(memcmp(h, other, sizeof h) == 0, "%s", engine->name);
		engine_trainer_close(threads);

		struct engine_trainer *given = open_trainer(engine, ENGINE_MAP, 4, 2, h); // as after a break
		CHECK(engine_trainer_steps(given, order, N, rates, losses, &e) == 0);
		CHECK(engine_trainer_read(given, other_after, NULL, &e) == 0);
		CHECK_MSG(memcmp(after, other_after, sizeof after) == 0, "%s", engine->name);
		engine_trainer_close(given);
	}
	tear_down();
}
