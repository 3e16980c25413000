#include "core/lenet5.h"
#include "tests/unit/test.h"

#include <math.h>
#include <string.h>

static const struct lenet5 *network(const char *name)
{
	struct err e;
	return lenet5_find(name, &e);
}

TEST(lenet5_tensors_fill_the_array_and_count_what_is_trained)
{
	for (int k = 0; lenet5_at(k); k++) {
		const struct lenet5 *net = lenet5_at(k);
		size_t end = 0, n_fixed = 0;
		for (int t = 0; t < net->n_tensors; t++) {
			const struct lenet5_tensor *tensor = &net->tensors[t];
			size_t count = 1;
			for (int d = 0; d < tensor->n_dims; d++)
				count *= (size_t)tensor->shape[d];
			CHECK_MSG(tensor->offset == end && tensor->count == count, "%s: %s", net->name, tensor->name);
			end += count;
			for (size_t i = 0; i < count; i++)
				n_fixed += lenet5_is_unlinked(net, tensor, i);
			if (net->output == LENET5_PENALTIES && tensor->parameter == LENET5_OUTPUT_WEIGHT)
				n_fixed += count;
		}
		CHECK_MSG(end == net->n_params && end - n_fixed == net->n_trainable, "%s", net->name);
	}
	CHECK(network("1998")->n_trainable == 60000 && lenet5_n_links(network("1998")) == 60 &&
	      lenet5_n_links(network("relu")) == 96);
}

TEST(lenet5_1998_begins_as_published)
{
	static float params[61740];
	const struct lenet5 *net = network("1998");
	struct rng rng;
	rng_init(&rng, 3);
	lenet5_init(net, &rng, params);
	for (int t = 0; t < net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &net->tensors[t];
		bool bias = strstr(tensor->name, ".bias");
		for (size_t i = 0; i < tensor->count && tensor->parameter != LENET5_OUTPUT_WEIGHT; i++) {
			float x = params[tensor->offset + i], fan_in = (float)tensor->fan_in;
			if (tensor->parameter == LENET5_C3_WEIGHT)
				fan_in = i < 6 * 150 ? 75 : i < 15 * 150 ? 100 : 150; // the table's columns
			CHECK_MSG(fabsf(x) <= 2.4f / fan_in && (x == 0) == (bias || lenet5_is_unlinked(net, tensor, i)),
				  "%s: %zu: %g", tensor->name, i, (double)x);
		}
	}
}

static double sum(const struct lenet5_prediction *p)
{
	double total = 0;
	for (int i = 0; i < 10; i++)
		total += (double)p->probabilities[i];
	return total;
}

TEST(lenet5_predicts_from_logits)
{
	float scores[10] = { 0, 0, 0, 2, 0, 0, 0, 2, 0, -1000 };
	struct lenet5_prediction p = lenet5_predict(network("relu"), 1, scores);
	CHECK(p.digit == 3 && p.confidence == p.probabilities[3] && p.probabilities[7] == p.probabilities[3]);
	CHECK(fabs((double)p.confidence - exp(2) / (2 * exp(2) + 7)) < 1e-7 && fabs(sum(&p) - 1) < 1e-6);
	scores[9] = 1000;
	p = lenet5_predict(network("relu"), 1, scores);
	CHECK(p.digit == 9 && p.confidence == 1);
}

TEST(lenet5_predicts_from_penalties)
{
	const struct lenet5 *net = network("1998");
	float scores[10] = { 90, 60, 70, 80, 0.25f, 50, 70, 80, 90, 40 }; // near one centre
	struct lenet5_prediction p = lenet5_predict(net, 1, scores);
	CHECK(p.digit == 4 && p.confidence == p.probabilities[4] && p.confidence > 0.9999f && fabs(sum(&p) - 1) < 1e-6);

	scores[4] = LENET5_RUBBISH; // as near as no digit at all: half of it, and the other half is dealt out
	p = lenet5_predict(net, 1, scores);
	CHECK(p.digit == 4 && fabs((double)p.confidence - 0.55) < 1e-6 && fabs((double)p.probabilities[0] - 0.05) < 1e-6);
	CHECK(fabs(sum(&p) - 1) < 1e-6);

	scores[9] = scores[4] = 0.5f; // between two
	p = lenet5_predict(net, 1, scores);
	CHECK(p.digit == 4 && fabs((double)p.confidence - 0.5) < 1e-4 && p.probabilities[9] == p.confidence);

	const float far[10] = { 900, 800, 700, 701, 3e38f, 900, 900, 900, 900, 900 };
	p = lenet5_predict(net, 1, far);
	CHECK(p.digit == 2 && fabs((double)p.confidence - 0.1) < 1e-7 && fabs(sum(&p) - 1) < 1e-6);
}

// Scores and temperature both times two are the same; a picture near one centre gets less sure the hotter it is.
TEST(lenet5_temperature_divides_the_scores)
{
	static const char *const names[] = { "relu", "1998" };
	for (int k = 0; k < 2; k++) {
		const struct lenet5 *net = network(names[k]);
		float scores[10] = { 3, 6, 7, 8, 0.25f, 5, 7, 8, 9, 4 }, twice[10];
		for (int i = 0; i < 10; i++)
			twice[i] = 2 * scores[i];
		struct lenet5_prediction p = lenet5_predict(net, 1, scores), q = lenet5_predict(net, 2, twice);
		CHECK(memcmp(&p, &q, sizeof p) == 0);
		q = lenet5_predict(net, 2, scores);
		CHECK(q.digit == p.digit && q.confidence < p.confidence && fabs(sum(&q) - 1) < 1e-6);
	}
}
