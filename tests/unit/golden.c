#include "tests/unit/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(int status, const struct err *e)
{
	if (status) {
		fprintf(stderr, "%s\n", e->msg);
		exit(2);
	}
}

struct safetensors golden_open(const struct lenet5 *net, const char *what)
{
	char path[128];
	struct safetensors file;
	struct err e;
	snprintf(path, sizeof path, "tests/golden/%s-%s.safetensors", net->name, what);
	need(safetensors_read(path, 1 << 20, &file, &e), &e);
	return file;
}

void golden_floats(const struct safetensors *file, const char *name, size_t n, float *out)
{
	struct err e;
	need(safetensors_floats(file, name, n, out, &e), &e);
}

void golden_params(const struct safetensors *file, const struct lenet5 *net, const char *prefix, const char *suffix, float *to)
{
	for (int t = 0; t < net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &net->tensors[t];
		char name[64];
		snprintf(name, sizeof name, "%s%s%s", prefix, tensor->name, suffix);
		if (*suffix && net->output == LENET5_PENALTIES && tensor->parameter == LENET5_OUTPUT_WEIGHT)
			memset(to + tensor->offset, 0, tensor->count * sizeof *to);
		else
			golden_floats(file, name, tensor->count, to + tensor->offset);
	}
}

struct idx golden_pictures(enum idx_set set)
{
	struct idx data;
	struct err e;
	need(idx_read("tests/data", set, &data, &e), &e);
	return data;
}
