// work: counts the operations of a network from its description. Pure functions.
#pragma once

#include "core/lenet5.h"

// Of one layer, in one forward pass.
struct work {
	size_t params; // trainable ones
	size_t connections; // as in the paper: every use of a weight or bias, in subsampling every input of a weight
	size_t multiplies; // multiply-adds with weights
};
struct work work_of_layer(const struct lenet5 *net, enum lenet5_layer layer);

// Floating-point operations per picture by the layers' definitions, two per multiply-add; an engine may need fewer. Training is the
// forward pass, the gradients of the weights, and the gradients of every layer's input but the first's.
double work_forward(const struct lenet5 *net);
double work_training(const struct lenet5 *net);
