// lenet5_reference: the networks of core/lenet5.h as plain loops, forward and backward, one picture at a time. It specifies
// what an engine (core/engine.h) computes, and tests compare every engine with it. It is written to be read; the programs do
// not use it.
//
// All numbers are double, so that an engine, which computes in float, differs from it by its own rounding alone. Parameters,
// gradient and momentum are arrays of net->n_params, laid out as net->tensors says. All memory is the caller's; any thread
// may call.
#pragma once

#include "core/engine.h"
#include "core/lenet5.h"

// A number for every unit of the network, in each layer [map][row][column].
struct lenet5_reference_units {
	double input[32 * 32], c1[6 * 28 * 28], s2[6 * 14 * 14], c3[16 * 10 * 10], s4[16 * 5 * 5], c5[120], f6[84], output[10];
};

// A forward pass of one picture.
struct lenet5_reference_pass {
	struct lenet5_reference_units y; // each unit's output f(a), where f is its layer's activation and a the unit's sum
	struct lenet5_reference_units slope; // f'(a)
	double s2_pooled[6 * 14 * 14], s4_pooled[16 * 5 * 5]; // the sum or the largest value of each unit's window
};

// The numbers of one layer.
double *lenet5_reference_layer(struct lenet5_reference_units *units, enum lenet5_layer layer);

// Fills the input layer, pass->y.input, from ink (28, 28), 0 background to 1 ink.
void lenet5_reference_input(double mean, double std, const float *ink, struct lenet5_reference_pass *pass);

// Computes one layer from the one before it; or, from the input, all of them.
void lenet5_reference_forward_layer(const struct lenet5 *net, const double *params, enum lenet5_layer layer,
				    struct lenet5_reference_pass *pass);
void lenet5_reference_forward(const struct lenet5 *net, const double *params, struct lenet5_reference_pass *pass);

// Returns the loss of a picture of `digit` with the scores (10). dscores (10): its derivatives by the scores. Reads
// training's loss, j and label_smoothing.
double lenet5_reference_loss(const struct engine_training *training, const double *scores, int digit, double *dscores);

// Goes backward from layer `top`, which is LENET5_OUTPUT for a whole gradient. d holds the derivatives of the loss by that
// layer's outputs, and is overwritten. Adds the derivatives by the parameters to gradient. Leaves pass as it is.
void lenet5_reference_backward(enum lenet5_layer top, const struct lenet5 *net, const double *params,
			       struct lenet5_reference_pass *pass, struct lenet5_reference_units *d, double *gradient);

// Takes one step of engine_trainer_steps, without curvature, over the pictures order[0..n) of pixels (·, 28, 28). Changes
// params and momentum; does not read training->start.params. Returns the pictures' mean loss before the step.
double lenet5_reference_step(const struct engine_training *training, const uint8_t *pixels, const uint8_t *labels,
			     const uint32_t *order, int n, double rate, double *params, double *momentum);
