// lenet5_reference: the networks of core/lenet5.h as plain loops, forward and backward, one picture at a time. It is the
// specification: tests hold every engine of core/engine.h against it. It is written to be read; the programs use an engine.
//
// All numbers are double, so that where a float engine differs from it, the difference is the engine's rounding.
// Parameters, gradients and momentum are arrays of net->n_params, laid out as net->tensors says. Nothing here allocates or keeps
// state; any thread may call.
#pragma once

#include "core/engine.h"
#include "core/lenet5.h"

// A number for every unit of the network, [map][row][column] in each layer.
struct lenet5_reference_units {
	double input[32 * 32], c1[6 * 28 * 28], s2[6 * 14 * 14], c3[16 * 10 * 10], s4[16 * 5 * 5], c5[120], f6[84],
	    output[10];
};

// What a picture makes of the network.
struct lenet5_reference_pass {
	struct lenet5_reference_units y; // each unit's output f(a), where f is the layer's activation and a the unit's sum
	struct lenet5_reference_units slope;                  // f'(a)
	double s2_pooled[6 * 14 * 14], s4_pooled[16 * 5 * 5]; // the sum or the largest value of each unit's window
};

// The numbers of one layer.
double *lenet5_reference_layer(struct lenet5_reference_units *units, enum lenet5_layer layer);

// Fills pass->y.input from ink (28, 28), 0 background to 1 ink.
void lenet5_reference_input(double mean, double std, const float *ink, struct lenet5_reference_pass *pass);

// Computes one layer after the input from the layer before it; or all of them, in their order.
void lenet5_reference_forward_layer(const struct lenet5 *net, const double *params, enum lenet5_layer layer,
				    struct lenet5_reference_pass *pass);
void lenet5_reference_forward(const struct lenet5 *net, const double *params, struct lenet5_reference_pass *pass);

// The loss that training asks for (its loss, j and label_smoothing) of a picture of `digit` whose output layer is scores (10).
// dscores (10): its derivatives by the scores.
double lenet5_reference_loss(const struct engine_training *training, const double *scores, int digit, double *dscores);

// Goes back from layer `top`: d holds the derivatives of the loss by that layer's outputs, and gets those by the outputs of the
// layers below it, on the way overwriting each layer's with those by a. Adds the derivatives by the parameters of these layers
// to gradient. From LENET5_OUTPUT, that is the gradient.
void lenet5_reference_backward(enum lenet5_layer top, const struct lenet5 *net, const double *params,
			       struct lenet5_reference_pass *pass, struct lenet5_reference_units *d, double *gradient);

// One step of engine_trainer_steps, without curvature, over the pictures order[0..n) of pixels (·, 28, 28). Changes params and
// momentum; training->start gives the rest of the network. Returns the pictures' mean loss before the step.
double lenet5_reference_step(const struct engine_training *training, const uint8_t *pixels, const uint8_t *labels,
			     const uint32_t *order, int n, double rate, double *params, double *momentum);
