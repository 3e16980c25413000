// The reference network by itself: against tests/golden/, which holds results of float64 rounded to float, and its gradient
// against differences of its loss. test_engine_reference.c compares engines with it.
#include "core/lenet5_reference.h"
#include "tests/unit/golden.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_PARAMS = GOLDEN_N_PARAMS, N_TEST = 256, N_SCORED = 64, N_TRAIN = 64 };

// The worst error of any network stands beside each bound.
static const struct {
	const char *what;
	double bound;
} bounds[] = {
	{ "scores", 2e-7 }, // 6.7e-8
	{ "penalties - 84", 5e-4 }, // of 1998 untrained: 2.8e-4, which the file lost, being rounded near 84
	{ "gradient", 3e-7 }, // 9.3e-8
	{ "after1", 1e-8 }, // 1.2e-9
	{ "loss", 1e-7 }, // 0
	{ "differences", 2e-7 }, // of the gradient's length: 4.4e-8
};

static void check(const struct lenet5 *net, const char *what, const char *where, double error)
{
	double bound = 0;
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
		if (strcmp(what, bounds[i].what) == 0)
			bound = bounds[i].bound;
	CHECK_MSG(error <= bound, "%s: %s %s: error %.2e, bound %.0e", net->name, what, where, error, bound);
	if (getenv("TEST_VERBOSE"))
		test_figure("%s %s %s %.2e", net->name, what, where, error);
}

static void check_tensors(const struct lenet5 *net, const char *what, const double *got, const float *want)
{
	static float rounded[N_PARAMS];
	for (size_t k = 0; k < net->n_params; k++)
		rounded[k] = (float)got[k];
	for (int t = 0; t < net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &net->tensors[t];
		const float *a = rounded + tensor->offset, *b = want + tensor->offset;
		bool same = memcmp(a, b, tensor->count * sizeof *a) == 0;
		check(net, what, tensor->name, same ? 0 : test_error(a, b, tensor->count));
	}
}

static double params[N_PARAMS], momentum[N_PARAMS];
static float file_params[N_PARAMS], want[N_PARAMS];

static void read_params(const struct safetensors *file, const struct lenet5 *net)
{
	golden_params(file, net, "", "", file_params);
	for (size_t k = 0; k < net->n_params; k++)
		params[k] = file_params[k];
}

// Of the network in params. away: what is taken off all scores first.
static void check_scores(const struct lenet5 *net, const struct safetensors *file, const char *what, double away)
{
	static float got[N_SCORED * 10], scores[N_TEST * 10], ink[LENET5_PIXELS];
	static struct lenet5_reference_pass pass;
	struct idx test = golden_pictures(IDX_TEST);
	golden_floats(file, net->output == LENET5_LOGITS ? "logits" : "penalties", N_TEST * 10, scores);
	for (int i = 0; i < N_SCORED; i++) {
		engine_ink_from_pixels(test.pixels + i * LENET5_PIXELS, LENET5_PIXELS, ink);
		lenet5_reference_input(net->mean, net->std, ink, &pass);
		lenet5_reference_forward(net, params, &pass);
		for (int k = 0; k < 10; k++) {
			got[i * 10 + k] = (float)(pass.y.output[k] - away);
			scores[i * 10 + k] = (float)(scores[i * 10 + k] - away);
		}
	}
	check(net, what, "", test_error(got, scores, N_SCORED * 10));
	idx_free(&test);
}

TEST(reference_scores_are_golden)
{
	for (int k = 0; lenet5_at(k); k++) {
		const struct lenet5 *net = lenet5_at(k);
		const bool published = net->output == LENET5_PENALTIES;
		struct safetensors init = golden_open(net, "init"), step0 = golden_open(net, "step0");
		struct safetensors after = golden_open(net, published ? "after400" : "after100");
		read_params(&init, net);
		check_scores(net, &step0, published ? "penalties - 84" : "scores", published ? 84 : 0);
		read_params(&after, net);
		check_scores(net, &after, "scores", 0);
		safetensors_free(&init);
		safetensors_free(&step0);
		safetensors_free(&after);
	}
}

static const struct lesson {
	const char *net;
	enum engine_loss loss;
	const char *prefix; // of the loss in step0
	const char *trained;
} lessons[] = {
	{ "sigmoid", ENGINE_CROSS_ENTROPY, "", "after100" },
	{ "relu", ENGINE_CROSS_ENTROPY, "", "after100" },
	{ "1998", ENGINE_MSE, "mse.", "after400" },
	{ "1998", ENGINE_MAP, "map.", "after400" },
};
enum { N_LESSONS = sizeof lessons / sizeof lessons[0] };

static const struct lenet5 *find(const struct lesson *lesson)
{
	struct err e;
	return lenet5_find(lesson->net, &e);
}

// One step over the first n training pictures. At rate 0 and from rest, the momentum after it is the gradient.
static double step(const struct lesson *lesson, const struct idx *train, int n, float smoothing, double rate)
{
	const struct lenet5 *net = find(lesson);
	const struct engine_training training = { .start = { net, net->mean, net->std, NULL },
						  .loss = lesson->loss,
						  .j = 0.1f,
						  .momentum_rate = 0.9f,
						  .label_smoothing = smoothing };
	uint32_t order[N_TRAIN];
	for (uint32_t i = 0; i < N_TRAIN; i++)
		order[i] = i;
	memset(momentum, 0, sizeof momentum);
	return lenet5_reference_step(&training, train->pixels, train->labels, order, n, rate, params, momentum);
}

static void check_loss(const struct lesson *lesson, const struct safetensors *file, const char *name, double got)
{
	float loss, rounded = (float)got;
	golden_floats(file, name, 1, &loss);
	check(find(lesson), "loss", name, test_error(&rounded, &loss, 1));
}

TEST(reference_gradients_are_golden)
{
	struct idx train = golden_pictures(IDX_TRAIN);
	for (const struct lesson *l = lessons; l < lessons + N_LESSONS; l++) {
		const struct lenet5 *net = find(l);
		struct safetensors init = golden_open(net, "init"), step0 = golden_open(net, "step0");
		char name[16];
		snprintf(name, sizeof name, "%sloss", l->prefix);
		read_params(&init, net);
		check_loss(l, &step0, name, step(l, &train, N_TRAIN, 0, 0));
		golden_params(&step0, net, l->prefix, ".grad", want);
		check_tensors(net, "gradient", momentum, want);
		safetensors_free(&init);
		safetensors_free(&step0);
	}
	idx_free(&train);
}

TEST(reference_step_is_golden)
{
	struct idx train = golden_pictures(IDX_TRAIN);
	for (const struct lesson *l = lessons; l->loss == ENGINE_CROSS_ENTROPY; l++) {
		const struct lenet5 *net = find(l);
		struct safetensors init = golden_open(net, "init"), after = golden_open(net, "after1");
		read_params(&init, net);
		check_loss(l, &after, "losses", step(l, &train, N_TRAIN, 0, 0.01));
		golden_params(&after, net, "", "", want);
		check_tensors(net, "after1", params, want);
		safetensors_free(&init);
		safetensors_free(&after);
	}
	idx_free(&train);
}

// Along a random direction of one tensor after the other, the loss changes as the gradient says.
static void check_differences(const struct lesson *lesson, const struct idx *train, struct rng *rng)
{
	static double gradient[N_PARAMS], start[N_PARAMS], direction[N_PARAMS];
	const struct lenet5 *net = find(lesson);
	const double h = 1e-6;
	const int n = 3;
	step(lesson, train, n, 0.1f, 0);
	memcpy(gradient, momentum, sizeof gradient);
	memcpy(start, params, sizeof start);
	for (int t = 0; t < net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &net->tensors[t];
		double along = 0, squares = 0, losses[2];
		if (net->output == LENET5_PENALTIES && tensor->parameter == LENET5_OUTPUT_WEIGHT)
			continue; // the centres, which are not trained
		for (size_t k = tensor->offset; k < tensor->offset + tensor->count; k++) {
			direction[k] = rng_uniform(rng, -1, 1);
			along += direction[k] * gradient[k];
			squares += gradient[k] * gradient[k];
		}
		for (int side = 0; side < 2; side++) {
			for (size_t k = tensor->offset; k < tensor->offset + tensor->count; k++)
				params[k] = start[k] + (side ? h : -h) * direction[k];
			losses[side] = step(lesson, train, n, 0.1f, 0);
			memcpy(params, start, sizeof params);
		}
		check(net, "differences", tensor->name, fabs((losses[1] - losses[0]) / (2 * h) - along) / sqrt(squares));
	}
}

TEST(reference_gradients_are_differences)
{
	struct idx train = golden_pictures(IDX_TRAIN);
	struct rng rng;
	rng_init(&rng, 1);
	for (const struct lesson *l = lessons; l < lessons + N_LESSONS; l++) {
		struct safetensors file = golden_open(find(l), l->trained);
		read_params(&file, find(l));
		check_differences(l, &train, &rng);
		safetensors_free(&file);
	}
	idx_free(&train);
}
