// The description of the networks. `sigmoid` and `relu` differ from the paper's in what a course of today would teach: all links
// in C3, max-pooling without weights, a linear output trained with cross-entropy. `1998` is the paper's own.
#include "core/lenet5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct lenet5_shape lenet5_shapes[LENET5_N_LAYERS] = {
	[LENET5_INPUT] = { "input", 1, 32, 32 }, [LENET5_C1] = { "c1", 6, 28, 28 },        [LENET5_S2] = { "s2", 6, 14, 14 },
	[LENET5_C3] = { "c3", 16, 10, 10 },      [LENET5_S4] = { "s4", 16, 5, 5 },         [LENET5_C5] = { "c5", 120, 1, 1 },
	[LENET5_F6] = { "f6", 84, 1, 1 },        [LENET5_OUTPUT] = { "output", 10, 1, 1 },
};

static const struct lenet5_tensor tensors_of_today[] = {
	{ LENET5_C1_WEIGHT, "c1.weight", 4, { 6, 1, 5, 5 }, 0, 150, 25 },
	{ LENET5_C1_BIAS, "c1.bias", 1, { 6 }, 150, 6, 25 },
	{ LENET5_C3_WEIGHT, "c3.weight", 4, { 16, 6, 5, 5 }, 156, 2400, 150 },
	{ LENET5_C3_BIAS, "c3.bias", 1, { 16 }, 2556, 16, 150 },
	{ LENET5_C5_WEIGHT, "c5.weight", 2, { 120, 400 }, 2572, 48000, 400 },
	{ LENET5_C5_BIAS, "c5.bias", 1, { 120 }, 50572, 120, 400 },
	{ LENET5_F6_WEIGHT, "f6.weight", 2, { 84, 120 }, 50692, 10080, 120 },
	{ LENET5_F6_BIAS, "f6.bias", 1, { 84 }, 60772, 84, 120 },
	{ LENET5_OUTPUT_WEIGHT, "output.weight", 2, { 10, 84 }, 60856, 840, 84 },
	{ LENET5_OUTPUT_BIAS, "output.bias", 1, { 10 }, 61696, 10, 84 },
};

static const struct lenet5_tensor tensors_of_1998[] = {
	{ LENET5_C1_WEIGHT, "c1.weight", 4, { 6, 1, 5, 5 }, 0, 150, 25 },
	{ LENET5_C1_BIAS, "c1.bias", 1, { 6 }, 150, 6, 25 },
	{ LENET5_S2_WEIGHT, "s2.weight", 1, { 6 }, 156, 6, 4 },
	{ LENET5_S2_BIAS, "s2.bias", 1, { 6 }, 162, 6, 4 },
	{ LENET5_C3_WEIGHT, "c3.weight", 4, { 16, 6, 5, 5 }, 168, 2400, 150 },
	{ LENET5_C3_BIAS, "c3.bias", 1, { 16 }, 2568, 16, 150 },
	{ LENET5_S4_WEIGHT, "s4.weight", 1, { 16 }, 2584, 16, 4 },
	{ LENET5_S4_BIAS, "s4.bias", 1, { 16 }, 2600, 16, 4 },
	{ LENET5_C5_WEIGHT, "c5.weight", 2, { 120, 400 }, 2616, 48000, 400 },
	{ LENET5_C5_BIAS, "c5.bias", 1, { 120 }, 50616, 120, 400 },
	{ LENET5_F6_WEIGHT, "f6.weight", 2, { 84, 120 }, 50736, 10080, 120 },
	{ LENET5_F6_BIAS, "f6.bias", 1, { 84 }, 60816, 84, 120 },
	{ LENET5_OUTPUT_WEIGHT, "output.weight", 2, { 10, 84 }, 60900, 840, 84 },
};

// The ten centres of the output layer, 7×12 pixels: ink is +1, ground −1.
static const char *const bitmaps[12] = {
	".#####. ...##.. .#####. ####### .#####. .#####. ..####. ####### .#####. .#####.",
	"....... ..###.. ....... .....## ....... ....... .##.... .....## ##...## ##..###",
	"..###.. .####.. .#####. ....##. ....... ####### ##..... .....## ##...## ##...##",
	".##.##. ...##.. ##...## ...##.. .##..## ##..... ##..... ....##. ##...## ##...##",
	"##...## ...##.. #....## ..####. .##..## ##..... ######. ...##.. .#####. ##..###",
	"##...## ...##.. ....##. .....## ###..## .####.. ###..## ...##.. ##...## .######",
	"##...## ...##.. ..###.. .....## ##...## ..####. ##...## ..##... ##...## .....##",
	"##...## ...##.. .##.... .....## ##...## .....## ##...## ..##... ##...## .....##",
	".##.##. ...##.. ##..... ##...## ##..### ##...## ###..## ..##... ##...## ....##.",
	"..###.. .###### ####### .#####. .###### .#####. .#####. ..##... .#####. .####..",
	"....... ....... ....... ....... .....## ....... ....... ....... ....... .......",
	"....... ....... ....... ....... .....## ....... ....... ....... ....... .......",
};

// 122,304 in C1 + 241,600 in C3 + 48,120 + 10,164 + 850; max-pooling has none.
#define OF_TODAY                                                                                                                   \
	.mean = 0.1307f, .std = 0.3081f, .pooling = LENET5_MAX, .output = LENET5_LOGITS,                                           \
	.c3_links = { 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63 },                                            \
	.n_tensors = sizeof tensors_of_today / sizeof tensors_of_today[0], .tensors = tensors_of_today, .n_params = 61706,         \
	.n_trainable = 61706, .n_connections = 423038

static const struct lenet5 networks[] = {
	{
		.name = "sigmoid",
		.summary = "max-pooling, sigmoid after S2 and S4, tanh after F6",
		.activation = { [LENET5_S2] = LENET5_SIGMOID, [LENET5_S4] = LENET5_SIGMOID, [LENET5_F6] = LENET5_TANH },
		OF_TODAY,
	},
	{
		.name = "relu",
		.summary = "max-pooling, ReLU after S2, S4 and F6",
		.activation = { [LENET5_S2] = LENET5_RELU, [LENET5_S4] = LENET5_RELU, [LENET5_F6] = LENET5_RELU },
		OF_TODAY,
	},
	{
		.name = "1998",
		.summary = "as published: trainable subsampling, C3 linked by a table, scaled tanh, distances to ten bitmaps",
		.mean = 0.1f / 1.275f,
		.std = 1 / 1.275f, // ground −0.1, ink 1.175
		.activation = { [LENET5_C1] = LENET5_SQUASH,
				[LENET5_S2] = LENET5_SQUASH,
				[LENET5_C3] = LENET5_SQUASH,
				[LENET5_S4] = LENET5_SQUASH,
				[LENET5_C5] = LENET5_SQUASH,
				[LENET5_F6] = LENET5_SQUASH },
		.pooling = LENET5_SUBSAMPLING,
		.output = LENET5_PENALTIES,
		// three neighbours, four neighbours, two pairs, all
		.c3_links = { 007, 016, 034, 070, 061, 043, 017, 036, 074, 071, 063, 047, 033, 066, 055, 077 },
		.n_tensors = sizeof tensors_of_1998 / sizeof tensors_of_1998[0],
		.tensors = tensors_of_1998,
		.n_params = 61740,
		.n_trainable = 60000,
		.n_connections = 340908,
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

size_t lenet5_offset(const struct lenet5 *net, enum lenet5_parameter parameter)
{
	for (int t = 0; t < net->n_tensors; t++)
		if (net->tensors[t].parameter == parameter)
			return net->tensors[t].offset;
	return 0;
}

int lenet5_n_links(const struct lenet5 *net)
{
	int n = 0;
	for (int map = 0; map < 16; map++)
		n += __builtin_popcount(net->c3_links[map]);
	return n;
}

bool lenet5_is_unlinked(const struct lenet5 *net, const struct lenet5_tensor *tensor, size_t i)
{
	return tensor->parameter == LENET5_C3_WEIGHT && !(net->c3_links[i / 150] >> i % 150 / 25 & 1);
}

static float spread(struct rng *rng, int fan_in)
{
	float bound = 2.4f / (float)fan_in;
	return rng_uniform(rng, -bound, bound);
}

static void init_as_published(const struct lenet5 *net, const struct lenet5_tensor *tensor, struct rng *rng, float *params)
{
	for (size_t i = 0; i < tensor->count; i++) {
		int fan_in = tensor->fan_in;
		switch (tensor->parameter) {
		case LENET5_C3_WEIGHT:
			fan_in = 25 * __builtin_popcount(net->c3_links[i / 150]);
			params[i] = lenet5_is_unlinked(net, tensor, i) ? 0 : spread(rng, fan_in);
			break;
		case LENET5_OUTPUT_WEIGHT:
			params[i] = bitmaps[i % 84 / 7][i / 84 * 8 + i % 7] == '#' ? 1 : -1;
			break;
		case LENET5_C1_WEIGHT:
		case LENET5_S2_WEIGHT:
		case LENET5_S4_WEIGHT:
		case LENET5_C5_WEIGHT:
		case LENET5_F6_WEIGHT:
			params[i] = spread(rng, fan_in);
			break;
		default:
			params[i] = 0;
		}
	}
}

void lenet5_init(const struct lenet5 *net, struct rng *rng, float *params)
{
	for (int t = 0; t < net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &net->tensors[t];
		if (net->output == LENET5_PENALTIES) {
			init_as_published(net, tensor, rng, params + tensor->offset);
			continue;
		}
		float bound = 1 / sqrtf((float)tensor->fan_in);
		for (size_t i = 0; i < tensor->count; i++)
			params[tensor->offset + i] = rng_uniform(rng, -bound, bound);
	}
}

const struct lenet5_calibration lenet5_uncalibrated = { 1, 0.5f };

struct lenet5_prediction lenet5_predict(const struct lenet5 *net, float temperature, const float *scores)
{
	struct lenet5_prediction p = { .digit = 0 };
	bool penalties = net->output == LENET5_PENALTIES;
	double evidence[LENET5_DIGITS], top = -HUGE_VAL, sum = 0;
	for (int i = 0; i < LENET5_DIGITS; i++) {
		evidence[i] = (penalties ? -(double)scores[i] : (double)scores[i]) / (double)temperature;
		if (evidence[i] > evidence[p.digit])
			p.digit = i;
		top = fmax(top, evidence[i]);
	}
	if (penalties)
		top = fmax(top, -LENET5_RUBBISH);
	double rubbish = penalties ? exp(-LENET5_RUBBISH - top) : 0;
	for (int i = 0; i < LENET5_DIGITS; i++)
		sum += evidence[i] = exp(evidence[i] - top);
	for (int i = 0; i < LENET5_DIGITS; i++)
		p.probabilities[i] = (float)((evidence[i] + rubbish / LENET5_DIGITS) / (sum + rubbish));
	p.confidence = p.probabilities[p.digit];
	return p;
}
