// The description of the networks. Both differ from the paper's in what a course of today would teach: all links in C3,
// max-pooling without weights, a linear output trained with cross-entropy. 61,706 parameters.
#include "core/lenet5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct lenet5_shape lenet5_shapes[LENET5_N_LAYERS] = {
	[LENET5_INPUT] = { "input", 1, 32, 32 }, [LENET5_C1] = { "c1", 6, 28, 28 }, [LENET5_S2] = { "s2", 6, 14, 14 },
	[LENET5_C3] = { "c3", 16, 10, 10 },      [LENET5_S4] = { "s4", 16, 5, 5 },  [LENET5_C5] = { "c5", 120, 1, 1 },
	[LENET5_F6] = { "f6", 84, 1, 1 },        [LENET5_OUTPUT] = { "output", 10, 1, 1 },
};

static const struct lenet5_tensor tensors[] = {
	[LENET5_C1_WEIGHT] = { "c1.weight", 4, { 6, 1, 5, 5 }, 0, 150, 25 },
	[LENET5_C1_BIAS] = { "c1.bias", 1, { 6 }, 150, 6, 25 },
	[LENET5_C3_WEIGHT] = { "c3.weight", 4, { 16, 6, 5, 5 }, 156, 2400, 150 },
	[LENET5_C3_BIAS] = { "c3.bias", 1, { 16 }, 2556, 16, 150 },
	[LENET5_C5_WEIGHT] = { "c5.weight", 2, { 120, 400 }, 2572, 48000, 400 },
	[LENET5_C5_BIAS] = { "c5.bias", 1, { 120 }, 50572, 120, 400 },
	[LENET5_F6_WEIGHT] = { "f6.weight", 2, { 84, 120 }, 50692, 10080, 120 },
	[LENET5_F6_BIAS] = { "f6.bias", 1, { 84 }, 60772, 84, 120 },
	[LENET5_OUTPUT_WEIGHT] = { "output.weight", 2, { 10, 84 }, 60856, 840, 84 },
	[LENET5_OUTPUT_BIAS] = { "output.bias", 1, { 10 }, 61696, 10, 84 },
};

// 122,304 in C1 + 241,600 in C3 (every map linked) + 48,120 + 10,164 + 850; max-pooling has none.
#define COMMON                                                                                                       \
	.mean = 0.1307f, .std = 0.3081f, .n_tensors = LENET5_N_PARAMETERS, .tensors = tensors, .n_params = 61706,    \
	.n_connections = 423038

static const struct lenet5 networks[] = {
	{
		.name = "sigmoid",
		.summary = "max-pooling, sigmoid after S2 and S4, tanh after F6",
		.activation = { [LENET5_S2] = LENET5_SIGMOID, [LENET5_S4] = LENET5_SIGMOID, [LENET5_F6] = LENET5_TANH },
		COMMON,
	},
	{
		.name = "relu",
		.summary = "max-pooling, ReLU after S2, S4 and F6",
		.activation = { [LENET5_S2] = LENET5_RELU, [LENET5_S4] = LENET5_RELU, [LENET5_F6] = LENET5_RELU },
		COMMON,
	},
};
enum { N_NETWORKS = sizeof networks / sizeof networks[0] };

const struct lenet5 *lenet5_at(int i)
{
	return i >= 0 && i < N_NETWORKS ? &networks[i] : NULL;
}

const struct lenet5 *lenet5_find(const char *name, struct err *e)
{
	char names[128] = "";
	for (int i = 0; i < N_NETWORKS; i++) {
		if (strcmp(name, networks[i].name) == 0)
			return &networks[i];
		size_t used = strlen(names);
		snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", networks[i].name);
	}
	err_set(e, "no network is called \"%.40s\"; there are: %s", name, names);
	return NULL;
}

void lenet5_init(const struct lenet5 *net, struct rng *rng, float *params)
{
	for (int t = 0; t < net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &net->tensors[t];
		float bound = 1 / sqrtf((float)tensor->fan_in);
		for (size_t i = 0; i < tensor->count; i++)
			params[tensor->offset + i] = rng_uniform(rng, -bound, bound);
	}
}

struct lenet5_prediction lenet5_predict(const struct lenet5 *net, const float *scores)
{
	(void)net; // both networks end in logits
	struct lenet5_prediction p = { .digit = 0 };
	for (int i = 1; i < LENET5_DIGITS; i++)
		if (scores[i] > scores[p.digit])
			p.digit = i;

	double exps[LENET5_DIGITS], sum = 0;
	for (int i = 0; i < LENET5_DIGITS; i++)
		sum += exps[i] = exp((double)scores[i] - (double)scores[p.digit]);
	for (int i = 0; i < LENET5_DIGITS; i++)
		p.probabilities[i] = (float)(exps[i] / sum);
	p.confidence = p.probabilities[p.digit];
	return p;
}
