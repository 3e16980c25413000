// measure: MNIST and models from where they lie, and how well a network reads pictures.
#pragma once

#include "core/engine.h"
#include "core/idx.h"
#include "core/weights.h"

// Reads the pictures from `given`, or, where that is NULL, from data/; the test set also from tests/data/, which every
// checkout has. *dir: which it was. Where there are none, e says how they are had.
int measure_data(const char *given, enum idx_set set, struct idx *data, const char **dir, struct err *e);

// Reads the weights file, or the built-in model where path is NULL. network: as weights_read. *name: for a person.
int measure_model(const char *path, const char *network, struct weights *weights, const char **name, struct err *e);

struct measure {
	uint32_t n, n_right;
	double loss; // the mean of −log(the label's probability)
};
double measure_accuracy(const struct measure *m); // 0..1

enum { MEASURE_BATCH = 1000 }; // pictures of a forward pass

// predictions: (data->n), or NULL.
int measure_network(struct engine *engine, const struct engine_network *network, const struct idx *data, int n_threads,
		    struct lenet5_prediction *predictions, struct measure *measure, struct err *e);

// The same in a context that is open already, with a max_batch of at least MEASURE_BATCH: on a GPU, opening one may take longer than
// the evaluation.
int measure_in(struct engine_context *context, const struct engine_network *network, const struct idx *data,
	       struct lenet5_prediction *predictions, struct measure *measure, struct err *e);
