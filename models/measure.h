// measure: finds MNIST and models, and measures how well a network reads pictures. Any thread may call.
#pragma once

#include "core/engine.h"
#include "core/idx.h"
#include "core/weights.h"

// Reads a set from the folder `given`, or if that is NULL from data/; the test set else from tests/data/. *dir: the folder used. If there
// is none, e says how to get the files.
int measure_data(const char *given, enum idx_set set, struct idx *data, const char **dir, struct err *e);

// Reads a weights file, or if path is NULL the built-in model. network: as for weights_read. *name: for messages; borrowed.
int measure_model(const char *path, const char *network, struct weights *weights, const char **name, struct err *e);

struct measure {
	uint32_t n, n_right;
	double loss; // mean of −log(probability of the label)
};
double measure_accuracy(const struct measure *m); // 0..1

enum { MEASURE_BATCH = 1000 }; // pictures in a forward pass

// Computes the scores of all pictures, (data->n, 10), in a context with a max_batch of at least MEASURE_BATCH.
int measure_scores(struct engine_context *context, const struct engine_network *network, const struct idx *data, float *scores,
		   struct err *e);

// Predicts all pictures in a context with a max_batch of at least MEASURE_BATCH. temperature: of lenet5_predict. predictions: (data->n), or NULL.
int measure_network(struct engine_context *context, const struct engine_network *network, float temperature, const struct idx *data,
		    struct lenet5_prediction *predictions, struct measure *measure, struct err *e);
