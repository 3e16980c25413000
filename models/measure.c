// One thread sums the results in the pictures' order, so the figures have the same bits with any number of engine threads.
#include "models/measure.h"

#include "core/builtin.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool has_files(const char *dir, enum idx_set set)
{
	char path[4096];
	const char *name = set == IDX_TRAIN ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte";
	for (int gz = 0; gz < 2; gz++)
		if (snprintf(path, sizeof path, "%s/%s%s", dir, name, gz ? ".gz" : "") < (int)sizeof path &&
		    access(path, F_OK) == 0)
			return true;
	return false;
}

int measure_data(const char *given, enum idx_set set, struct idx *data, const char **dir, struct err *e)
{
	const char *found = given ? given : "data";
	if (!has_files(found, set))
		found = !given && set == IDX_TEST && has_files("tests/data", set) ? "tests/data" : NULL;
	if (!found && given)
		return err_set(e, "%s: holds no MNIST; run `lenet fetch --data %s` to download it", given, given);
	if (!found)
		return err_set(e, "no MNIST in data/: run `lenet fetch` to download it, or name another folder with --data DIR");
	if (idx_read(found, set, data, e))
		return -1;
	if (data->n == 0) {
		idx_free(data);
		return err_set(e, "%s: no pictures in its files", found);
	}
	*dir = found;
	return 0;
}

int measure_model(const char *path, const char *network, struct weights *weights, const char **name, struct err *e)
{
	*name = path ? path : "the built-in model";
	return path ? weights_read(path, network, weights, e) : builtin_read(weights, e);
}

double measure_accuracy(const struct measure *m)
{
	return (double)m->n_right / m->n;
}

static void add(struct measure *m, const struct lenet5_prediction *p, int label)
{
	m->n++;
	m->n_right += p->digit == label;
	// A probability may round to zero: the loss of a picture is at most 87.3. NaN stays NaN.
	float probability = p->probabilities[label];
	m->loss -= log(probability < FLT_MIN ? (double)FLT_MIN : (double)probability);
}

int measure_scores(struct engine_context *context, const struct engine_network *network, const struct idx *data, float *scores,
		   struct err *e)
{
	struct engine_model *model = NULL;
	int status = engine_model_new(context->engine, network, &model, e);
	for (uint32_t at = 0; at < data->n && !status; at += MEASURE_BATCH) {
		int n = data->n - at < MEASURE_BATCH ? (int)(data->n - at) : MEASURE_BATCH;
		status = engine_forward_pixels(context, model, data->pixels + (size_t)at * LENET5_PIXELS, n,
					       scores + (size_t)at * LENET5_DIGITS, e);
	}
	engine_model_unref(model);
	return status;
}

int measure_network(struct engine_context *context, const struct engine_network *network, float temperature, const struct idx *data,
		    struct lenet5_prediction *predictions, struct measure *measure, struct err *e)
{
	struct measure m = { 0 };
	float *scores = malloc((size_t)data->n * LENET5_DIGITS * sizeof *scores);
	if (!scores)
		return err_set(e, "out of memory");
	int status = measure_scores(context, network, data, scores, e);
	for (uint32_t i = 0; i < data->n && !status; i++) {
		struct lenet5_prediction p = lenet5_predict(network->net, temperature, scores + (size_t)i * LENET5_DIGITS);
		add(&m, &p, data->labels[i]);
		if (predictions)
			predictions[i] = p;
	}
	free(scores);
	if (status)
		return -1;
	m.loss /= m.n;
	*measure = m;
	return 0;
}
