// pack: moves parameters between lenet.bin's order and an engine's layout in memory. Pure; any thread.
#pragma once

#include "core/lenet5.h"

// Where an engine keeps a tensor: element (a, b, c, d) of its n[0]×n[1]×n[2]×n[3] elements, which are in lenet.bin's order, is float
// at + a·stride[0] + b·stride[1] + c·stride[2] + d·stride[3] of the layout.
struct pack_place {
	size_t at;
	int n[4], stride[4];
};

// The place of a vector of n.
#define PACK_VECTOR(start, count)                                                                                                  \
	{                                                                                                                          \
		.at = (start), .n = { 1, 1, 1, (count) }, .stride = { 0, 0, 0, 1 }                                                 \
	}

// places: (LENET5_N_PARAMETERS). params: (net->n_params). Floats of `packed` that are no parameter's are left alone.
void pack_parameters(const struct lenet5 *net, const struct pack_place *places, const float *params, float *packed);
void pack_parameters_back(const struct lenet5 *net, const struct pack_place *places, const float *packed, float *params);
