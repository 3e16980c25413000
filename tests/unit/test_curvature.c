// The curvature of 1998 against the paper's appendix C by the reference network. Where it starts, at F6's outputs, it is
// measured: a second difference of the loss itself.
#include "core/lenet5_reference.h"
#include "tests/unit/engines.h"
#include "tests/unit/golden.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_PARAMS = GOLDEN_N_PARAMS, N = 21 }; // pictures: two chunks of the CPU's and some
static const float J = 0.1f, MU = 0.02f;

static struct idx data;
static float params[N_PARAMS]; // after 400 steps: some wrong classes still count
static double exact_params[N_PARAMS]; // the same
static const struct lenet5 *net;
static const uint32_t order[N] = { 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 5 };

static void set_up(void)
{
	struct err e;
	net = lenet5_find("1998", &e);
	struct safetensors file = golden_open(net, "after400");
	golden_params(&file, net, "", "", params);
	for (int k = 0; k < N_PARAMS; k++)
		exact_params[k] = params[k];
	data = golden_pictures(IDX_TRAIN);
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

static double square(double x)
{
	return x * x;
}

// Fills f6 (84) with the second derivatives of the loss by F6's outputs, by second differences.
static void measure(const struct engine_training *training, struct lenet5_reference_pass *pass, int label, double *f6)
{
	const double step = 1e-3;
	double dscores[10], losses[3];
	for (int i = 0; i < 84; i++) {
		const double here = pass->y.f6[i];
		for (int k = 0; k < 3; k++) {
			pass->y.f6[i] = here + (k - 1) * step;
			lenet5_reference_forward_layer(net, exact_params, LENET5_OUTPUT, pass);
			losses[k] = lenet5_reference_loss(training, pass->y.output, label, dscores);
		}
		f6[i] = (losses[0] - 2 * losses[1] + losses[2]) / square(step);
		pass->y.f6[i] = here;
	}
}

// Adds one picture's part to h. From F6 on, second derivatives go back as gradients do, with weights, outputs and slopes squared.
static void add_appendix_c(const struct engine_training *training, const float *ink, int label, double *h)
{
	static struct lenet5_reference_pass pass;
	static struct lenet5_reference_units d;
	static double squares[N_PARAMS];
	lenet5_reference_input(net->mean, net->std, ink, &pass);
	lenet5_reference_forward(net, exact_params, &pass);
	measure(training, &pass, label, d.f6);
	for (int k = 0; k < N_PARAMS; k++)
		squares[k] = square(exact_params[k]);
	for (size_t k = 0; k < sizeof pass / sizeof(double); k++)
		((double *)&pass)[k] = square(((double *)&pass)[k]);
	lenet5_reference_backward(LENET5_F6, net, squares, &pass, &d, h);
}

static void appendix_c(enum engine_loss loss, float *curvature)
{
	static double h[N_PARAMS];
	const struct engine_training training = { .loss = loss, .j = J };
	memset(h, 0, sizeof h);
	for (int i = 0; i < N; i++) {
		float ink[LENET5_PIXELS];
		engine_ink_from_pixels(data.pixels + order[i] * LENET5_PIXELS, LENET5_PIXELS, ink);
		add_appendix_c(&training, ink, data.labels[order[i]], h);
	}
	for (int k = 0; k < N_PARAMS; k++)
		curvature[k] = (float)(h[k] / N);
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
			appendix_c(loss, want);
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
