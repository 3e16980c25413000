// evaluation: a model's predictions of MNIST's test pictures, for `lenet eval`, `lenet grid` and `lenet plot confusion`.
#pragma once

#include "models/commands/command.h"
#include "models/measure.h"

struct evaluation_choice {
	const char *model, *network, *data; // as measure_model and measure_data take them
	struct engine_choice engine;
	int threads;
	int from, count; // measure `count` pictures, the first of them number `from`; count 0: to the end
};

struct evaluation {
	const char *model, *dir; // where weights and pictures are from; borrowed
	struct weights weights;
	struct idx all, test; // all is owned; test is a view of the measured ones
	struct measure measure;
	struct lenet5_prediction *predictions; // [test.n]
};

// Reads model and pictures and predicts. *v: zero-initialised; evaluation_fini frees what it holds, also after a failure.
int evaluation_run(const struct program *program, const struct evaluation_choice *choice, struct evaluation *v, struct err *e);
void evaluation_fini(struct evaluation *v);
