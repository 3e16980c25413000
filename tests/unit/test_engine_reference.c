// Engines (tests/unit/engines.h says which) against core/lenet5_reference.h, on random networks and pictures.
#include "core/lenet5_reference.h"
#include "tests/unit/engines.h"
#include "tests/unit/golden.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

enum { N_PARAMS = GOLDEN_N_PARAMS, N_PICTURES = 8, BATCH = 4, N_STEPS = 3 };

// The worst error of any network and engine, the emulated ones too, stands beside each bound.
static const struct {
	const char *what;
	double bound;
} bounds[] = {
	// a layer, computed from the engine's own outputs of the layer before it
	{ "input", 2e-7 }, // 5.6e-8
	{ "c1", 1e-6 }, // 3.6e-7
	{ "s2", 3e-7 }, // 8.2e-8
	{ "c3", 2e-6 }, // 8.1e-7
	{ "s4", 3e-7 }, // 7.8e-8
	{ "c5", 2e-6 }, // 4.6e-7
	{ "f6", 1e-6 }, // 3.4e-7
	{ "output", 1e-6 }, // 2.3e-7
	{ "scores", 5e-6 }, // from the ink: 1.2e-6
	{ "parameters of ", 3e-6 }, // a tensor, after N_STEPS steps: 7.5e-7
	{ "momentum of ", 3e-5 }, // the same: 7.2e-6
	{ "losses", 5e-6 }, // 1.7e-6
};

static void check(const struct engine *engine, const struct lenet5 *net, const char *what, const char *where, bool exact,
		  const float *got, const double *want, size_t n)
{
	static float rounded[N_PARAMS];
	double bound = 0;
	for (size_t i = 0; i < n; i++)
		rounded[i] = (float)want[i];
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0] && !exact; i++)
		if (strcmp(what, bounds[i].what) == 0)
			bound = bounds[i].bound;
	bool same = memcmp(got, rounded, n * sizeof *got) == 0;
	double error = same ? 0 : test_error(got, rounded, n);
	CHECK_MSG(error <= bound, "%s, %s: %s%s: error %.2e, bound %.0e", engine->name, net->name, what, where, error, bound);
	if (getenv("TEST_VERBOSE"))
		test_figure("%s %s %s%s %.2e", engine->name, net->name, what, where, error);
}

static float params[N_PARAMS], momentum[N_PARAMS];
static double reference_params[N_PARAMS], reference_momentum[N_PARAMS];
static uint8_t pixels[N_PICTURES * LENET5_PIXELS], labels[N_PICTURES];

// Makes random pictures, and in params and reference_params a random network. Its weights are up to three times those of an
// untrained one, so that the activations are far from linear.
static void make(const struct lenet5 *net, uint64_t seed)
{
	struct rng rng;
	rng_init(&rng, seed);
	for (int i = 0; i < N_PICTURES * LENET5_PIXELS; i++)
		pixels[i] = (uint8_t)(rng_below(&rng, 3) ? rng_below(&rng, 256) : 0);
	for (int i = 0; i < N_PICTURES; i++)
		labels[i] = (uint8_t)rng_below(&rng, 10);
	if (net->output == LENET5_LOGITS)
		labels[1] = LENET5_NO_DIGIT;
	lenet5_init(net, &rng, params);
	const float gain = rng_uniform(&rng, 1, 3);
	for (int t = 0; t < net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &net->tensors[t];
		for (size_t k = tensor->offset; k < tensor->offset + tensor->count; k++)
			if (tensor->n_dims == 1) // 1998 begins with biases of 0, which would hide a wrong one
				params[k] = gain * params[k] + rng_uniform(&rng, -0.1f, 0.1f);
			else if (net->output != LENET5_PENALTIES || tensor->parameter != LENET5_OUTPUT_WEIGHT)
				params[k] *= gain;
	}
	for (size_t k = 0; k < net->n_params; k++)
		reference_params[k] = params[k];
}

static void check_layers(const struct engine *engine, const struct lenet5 *net, const float *ink, const struct engine_trace *trace)
{
	static struct lenet5_reference_pass pass;
	const float *got = trace->input;
	for (enum lenet5_layer layer = LENET5_INPUT; layer <= LENET5_OUTPUT; layer++) {
		const struct lenet5_shape *shape = &lenet5_shapes[layer];
		double *want = lenet5_reference_layer(&pass.y, layer);
		int n = shape->maps * shape->height * shape->width;
		if (layer == LENET5_INPUT)
			lenet5_reference_input(net->mean, net->std, ink, &pass);
		else
			lenet5_reference_forward_layer(net, reference_params, layer, &pass);
		bool exact =
			net->activation[layer] == LENET5_RELU && (layer == LENET5_S2 || layer == LENET5_S4); // nothing to round
		check(engine, net, shape->name, "", exact, got, want, (size_t)n);
		for (int i = 0; i < n; i++)
			want[i] = *got++; // the engine's input to its next layer
	}
	lenet5_reference_input(net->mean, net->std, ink, &pass);
	lenet5_reference_forward(net, reference_params, &pass);
	check(engine, net, "scores", "", false, trace->output, pass.y.output, 10);
}

TEST(engine_layers_are_the_references)
{
	static struct engine_trace trace;
	const int n_seeds = test_is_short() ? 2 : 8;
	struct engine *engine;
	struct err e = { "" };
	for (int i = 0; (engine = engines_next(&i)); engine_close(engine))
		for (int k = 0; k < 3 * n_seeds; k++) {
			const struct lenet5 *net = lenet5_at(k % 3);
			const struct engine_network network = { net, net->mean, net->std, params };
			struct engine_model *model;
			struct engine_context *context;
			float ink[LENET5_PIXELS];
			make(net, (uint64_t)k);
			engine_ink_from_pixels(pixels, LENET5_PIXELS, ink);
			CHECK(engine_model_new(engine, &network, &model, &e) == 0);
			CHECK(engine_context_open(engine, 1, 1, &context, &e) == 0);
			CHECK_MSG(engine_trace(context, model, ink, &trace, &e) == 0, "%s", e.msg);
			check_layers(engine, net, ink, &trace);
			engine_context_close(context);
			engine_model_unref(model);
		}
}

static const struct lesson {
	const char *net;
	enum engine_loss loss;
	float j, smoothing, rate;
} lessons[] = {
	{ "sigmoid", ENGINE_CROSS_ENTROPY, 0, 0.1f, 0.1f },
	{ "relu", ENGINE_CROSS_ENTROPY, 0, 0.1f, 0.01f },
	// Penalties of a random network are about a hundred: a j among them, and one beyond them all.
	{ "1998", ENGINE_MSE, 0, 0, 0.0005f },
	{ "1998", ENGINE_MAP, 80, 0, 0.0005f },
	{ "1998", ENGINE_MAP, 300, 0, 0.0005f },
};

// Steps of 4, 4 and 2 pictures.
static void check_lesson(struct engine *engine, const struct lesson *lesson, uint64_t seed)
{
	static const uint32_t order[] = { 3, 1, 4, 1, 5, 7, 2, 6, 0, 3 };
	const float rates[N_STEPS] = { lesson->rate, lesson->rate / 2, lesson->rate * 2 };
	const int n = sizeof order / sizeof *order;
	struct engine_trainer *trainer;
	struct err e = { "" };
	float losses[N_STEPS];
	double want_losses[N_STEPS];
	const struct lenet5 *net = lenet5_find(lesson->net, &e);
	const struct engine_training training = {
		.start = { net, net->mean, net->std, params },
		.loss = lesson->loss,
		.j = lesson->j,
		.batch = BATCH,
		.n_threads = 2,
		.momentum_rate = 0.9f,
		.weight_decay = 0.01f,
		.label_smoothing = lesson->smoothing,
	};
	make(net, seed);
	memset(reference_momentum, 0, sizeof reference_momentum);
	for (int i = 0; i < N_STEPS; i++)
		want_losses[i] = lenet5_reference_step(&training, pixels, labels, order + i * BATCH, i < 2 ? BATCH : n - 2 * BATCH,
						       rates[i], reference_params, reference_momentum);
	CHECK_MSG(engine_trainer_open(engine, &training, &trainer, &e) == 0, "%s", e.msg);
	CHECK(engine_trainer_data(trainer, pixels, labels, N_PICTURES, &e) == 0);
	CHECK_MSG(engine_trainer_steps(trainer, order, (uint32_t)n, rates, losses, &e) == 0, "%s", e.msg);
	CHECK(engine_trainer_read(trainer, params, momentum, &e) == 0);
	engine_trainer_close(trainer);
	check(engine, net, "losses", "", false, losses, want_losses, N_STEPS);
	for (int t = 0; t < net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &net->tensors[t];
		size_t at = tensor->offset;
		check(engine, net, "parameters of ", tensor->name, false, params + at, reference_params + at, tensor->count);
		check(engine, net, "momentum of ", tensor->name, false, momentum + at, reference_momentum + at, tensor->count);
	}
}

TEST(engine_trains_as_the_reference)
{
	const int n_seeds = test_is_short() ? 1 : 4;
	struct engine *engine;
	for (int i = 0; (engine = engines_next(&i)); engine_close(engine))
		for (size_t k = 0; k < sizeof lessons / sizeof lessons[0]; k++)
			for (int seed = 0; seed < n_seeds; seed++)
				check_lesson(engine, &lessons[k], (uint64_t)seed);
}
