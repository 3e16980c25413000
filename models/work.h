// work: what a network costs, counted from its description. Pure functions.
#pragma once

#include "core/lenet5.h"

// The parameters of one layer, and how often they are used in one forward pass.
struct work {
	size_t params; // that can be trained
	size_t connections; // as the paper counts: every use of a weight or bias, and in subsampling every input that one weights
	size_t multiplies; // with weights: multiply-adds
};
struct work work_of_layer(const struct lenet5 *net, enum lenet5_layer layer);

// Floating-point operations a picture as the layers are defined, two a multiply-add; an engine may do with fewer. A training step is
// the forward pass, the gradient of the weights and the gradient of the layer's input, which the first layer needs not.
double work_forward(const struct lenet5 *net);
double work_training(const struct lenet5 *net);
