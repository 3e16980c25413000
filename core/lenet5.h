// lenet5: the family of networks that this project trains and serves, as data.
// LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 86(11), 1998, §II.B:
//
//   input 1@32×32 → C1 conv 5×5 → 6@28×28 → S2 pool 2×2 → 6@14×14 → C3 conv 5×5 → 16@10×10 → S4 pool 2×2 → 16@5×5
//         → C5 full 400→120 → F6 full 120→84 → output 84→10
//
// What the members share is written here as constants; what differs is in struct lenet5. Nothing here computes a layer:
// core/lenet5_reference.c does it to be read, an engine (core/engine.h) to be fast. Everything is constant data or a pure
// function; any thread may call.
#pragma once

#include "core/err.h"
#include "core/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LENET5_SIDE = 28, // of the picture that goes in
	LENET5_PIXELS = LENET5_SIDE * LENET5_SIDE,
	LENET5_PADDED = 32, // of the input layer: the picture in a frame of two background pixels
	LENET5_DIGITS = 10,
	LENET5_NO_DIGIT = 10, // the label of a training picture that shows no digit
	LENET5_MAPS1 = 6, // of C1 and S2
	LENET5_MAPS3 = 16, // of C3 and S4
	LENET5_TAPS = 25, // of a filter
	LENET5_N_S4 = LENET5_MAPS3 * 5 * 5, // units of the layers from S4 on
	LENET5_N_C5 = 120,
	LENET5_N_F6 = 84,
};
#define LENET5_SQUASH_LIMIT 1.7159f // of LENET5_SQUASH

enum lenet5_layer {
	LENET5_INPUT,
	LENET5_C1,
	LENET5_S2,
	LENET5_C3,
	LENET5_S4,
	LENET5_C5,
	LENET5_F6,
	LENET5_OUTPUT,
	LENET5_N_LAYERS
};

struct lenet5_shape {
	const char *name;
	int maps, height, width;
};
extern const struct lenet5_shape lenet5_shapes[LENET5_N_LAYERS]; // of each layer's output

// What each layer's output goes through. Max-pooling and these commute, so S2 and S4 are activated after the pooling.
enum lenet5_activation {
	LENET5_IDENTITY,
	LENET5_SIGMOID,
	LENET5_RELU,
	LENET5_TANH,
	LENET5_SQUASH, // 1.7159·tanh(2a/3), the paper's
};

// What S2 and S4 make of a 2×2 window: its largest value, or (the sum of the four)·weight + bias, one pair a map.
enum lenet5_pooling { LENET5_MAX, LENET5_SUBSAMPLING };

// What the output layer says of a digit i: a logit, linear, the larger the likelier; or a penalty, the Euclidean radial basis
// function y_i = Σ_j (x_j − w_ij)² of F6's outputs x and fixed centres w, the smaller the likelier.
enum lenet5_output { LENET5_LOGITS, LENET5_PENALTIES };

// Two for each layer, in the layers' order: lenet5_weight and lenet5_bias rely on it.
enum lenet5_parameter {
	LENET5_C1_WEIGHT,
	LENET5_C1_BIAS,
	LENET5_S2_WEIGHT,
	LENET5_S2_BIAS,
	LENET5_C3_WEIGHT,
	LENET5_C3_BIAS,
	LENET5_S4_WEIGHT,
	LENET5_S4_BIAS,
	LENET5_C5_WEIGHT,
	LENET5_C5_BIAS,
	LENET5_F6_WEIGHT,
	LENET5_F6_BIAS,
	LENET5_OUTPUT_WEIGHT,
	LENET5_OUTPUT_BIAS,
	LENET5_N_PARAMETERS
};

// A parameter tensor: its name in lenet.bin, its shape (PyTorch's order: out, in, y, x) and where it lies in the one
// array that holds all parameters of a network.
struct lenet5_tensor {
	enum lenet5_parameter parameter;
	const char *name;
	int n_dims;
	int shape[4]; // the first n_dims count
	size_t offset, count; // in floats
	int fan_in; // inputs that one unit of the layer sums, were all its links there
};

// A member of the family.
struct lenet5 {
	const char *name; // "sigmoid", "relu", "1998"
	const char *summary; // one line for a person
	float mean, std; // of the training pictures, ink in 0..1: the input layer is (ink − mean)/std, the frame too
	enum lenet5_activation activation[LENET5_N_LAYERS];
	enum lenet5_pooling pooling;
	enum lenet5_output output;
	uint8_t c3_links[16]; // [map of C3]: bit i is set where it sees map i of S2; where it is not, c3.weight is 0
	int n_tensors;
	const struct lenet5_tensor *tensors; // [n_tensors], in the file's order
	size_t n_params; // floats in all
	size_t n_trainable; // of them; the others are weights of links that are not there, and centres
	size_t n_connections; // as the paper counts them: every use of a weight or bias in one forward pass
};

// The network of that name. NULL, and e lists the names there are, for any other.
const struct lenet5 *lenet5_find(const char *name, struct err *e);

// The i-th network, or NULL past the last.
const struct lenet5 *lenet5_at(int i);

// The weight and the bias of a layer above the input; not every network has them for S2 and S4, nor a bias for the output.
static inline enum lenet5_parameter lenet5_weight(enum lenet5_layer layer)
{
	return (enum lenet5_parameter)(2 * (layer - LENET5_C1));
}
static inline enum lenet5_parameter lenet5_bias(enum lenet5_layer layer)
{
	return (enum lenet5_parameter)(lenet5_weight(layer) + 1);
}

// Where the parameter begins in the array of all parameters; 0 if the network has none of that kind.
size_t lenet5_offset(const struct lenet5 *net, enum lenet5_parameter parameter);

// How many of C3's 96 links there are.
int lenet5_n_links(const struct lenet5 *net);

// Whether parameter i of the tensor is a weight of a link of C3 that is not there.
bool lenet5_is_unlinked(const struct lenet5 *net, const struct lenet5_tensor *tensor, size_t i);

// params: n_params floats. Networks with logits begin as PyTorch's do: weights and biases uniform in ±1/√fan_in. 1998 begins
// as published: weights uniform in ±2.4/fan_in, fan_in counting the links that are there (S2 and S4 sum four inputs under one
// weight: ±0.6); biases 0, the centres the paper's figure 3.
void lenet5_init(const struct lenet5 *net, struct rng *rng, float *params);

// What a network says of one picture.
struct lenet5_prediction {
	int digit; // the likeliest; of equally likely ones the lowest
	float confidence; // its probability
	float probabilities[LENET5_DIGITS]; // sum to 1
};

// What turns a network's scores into probabilities that can be trusted, and says which of them is too low for a digit. `lenet calibrate`
// fits both; a model file keeps them (core/weights.h).
struct lenet5_calibration {
	float temperature; // scores are divided by it: above 1 makes less confident
	float threshold; // the least confidence of a digit
};
#define LENET5_MIN_TEMPERATURE 0.01
#define LENET5_MAX_TEMPERATURE 100.0
extern const struct lenet5_calibration lenet5_uncalibrated; // of a file that says nothing: temperature 1, threshold 0.5

// scores: the output layer, (10), which is divided by the temperature first. Of logits, the softmax. Of penalties y_i, the posterior of the paper's eq. 9, with its class
// "rubbish" at a penalty of LENET5_RUBBISH and that class's share dealt out evenly, for nobody asked about it:
//   p_i = (e^−y_i + e^−r/10) / (Σ_k e^−y_k + e^−r)
// So a picture that is near one centre has a probability near 1, and one that is near none has a tenth for every digit.
#define LENET5_RUBBISH 12.0
struct lenet5_prediction lenet5_predict(const struct lenet5 *net, float temperature, const float *scores);
