// lenet5: the family of networks that this project trains and serves, as data.
// LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 86(11), 1998, §II.B:
//
//   input 1@32×32 → C1 conv 5×5 → 6@28×28 → S2 pool 2×2 → 6@14×14 → C3 conv 5×5 → 16@10×10 → S4 pool 2×2 → 16@5×5
//         → C5 full 400→120 → F6 full 120→84 → output 84→10
//
// What the members share is written here as constants; what differs is in struct lenet5. Nothing here computes a layer:
// that is an engine's work (core/engine.h). Everything is constant data or a pure function; any thread may call.
#pragma once

#include "core/err.h"
#include "core/rng.h"

#include <stddef.h>
#include <stdint.h>

enum {
	LENET5_SIDE = 28, // of the picture that goes in
	LENET5_PIXELS = LENET5_SIDE * LENET5_SIDE,
	LENET5_PADDED = 32, // of the input layer: the picture in a frame of two background pixels
	LENET5_DIGITS = 10,
};

enum lenet5_layer { LENET5_INPUT, LENET5_C1, LENET5_S2, LENET5_C3, LENET5_S4, LENET5_C5, LENET5_F6, LENET5_OUTPUT, LENET5_N_LAYERS };

struct lenet5_shape {
	const char *name;
	int maps, height, width;
};
extern const struct lenet5_shape lenet5_shapes[LENET5_N_LAYERS]; // of each layer's output

// What each layer's output goes through. max-pooling and these commute, so S2 and S4 are activated after the pooling.
enum lenet5_activation { LENET5_IDENTITY, LENET5_SIGMOID, LENET5_RELU, LENET5_TANH };

// A parameter tensor: its name in lenet.bin, its shape (PyTorch's order: out, in, y, x) and where it lies in the one
// array that holds all parameters of a network.
struct lenet5_tensor {
	const char *name;
	int n_dims;
	int shape[4]; // the first n_dims count
	size_t offset, count; // in floats
	int fan_in; // inputs that one unit of the layer sums
};

enum lenet5_parameter {
	LENET5_C1_WEIGHT, LENET5_C1_BIAS, LENET5_C3_WEIGHT, LENET5_C3_BIAS, LENET5_C5_WEIGHT, LENET5_C5_BIAS,
	LENET5_F6_WEIGHT, LENET5_F6_BIAS, LENET5_OUTPUT_WEIGHT, LENET5_OUTPUT_BIAS, LENET5_N_PARAMETERS
};

// A member of the family.
struct lenet5 {
	const char *name; // "sigmoid", "relu"
	const char *summary; // one line for a person
	float mean, std; // of the training pictures, ink in 0..1: the input layer is (ink − mean)/std, the frame too
	enum lenet5_activation activation[LENET5_N_LAYERS];
	int n_tensors;
	const struct lenet5_tensor *tensors; // [n_tensors], by enum lenet5_parameter
	size_t n_params; // floats in all
	size_t n_connections; // as the paper counts them: every use of a weight or bias in one forward pass
};

// The network of that name. NULL, and e lists the names there are, for any other.
const struct lenet5 *lenet5_find(const char *name, struct err *e);

// The i-th network, or NULL past the last.
const struct lenet5 *lenet5_at(int i);

// PyTorch's default: weights and biases uniform in ±1/√fan_in. params: n_params floats.
void lenet5_init(const struct lenet5 *net, struct rng *rng, float *params);

// What a network says of one picture.
struct lenet5_prediction {
	int digit; // the most probable; of equal ones the lowest
	float confidence; // its probability
	float probabilities[LENET5_DIGITS]; // sum to 1
};

// scores: the output layer, (10). The softmax of them.
struct lenet5_prediction lenet5_predict(const struct lenet5 *net, const float *scores);
