// cpu_pack: converts parameters between lenet.bin's order and the CPU's layouts. Pure; any thread.
#pragma once

#include "kernels/cpu/isa.h"

// params: (n_params), as the network's tensors say. cpu_pack zeroes the padding.
void cpu_pack(const struct lenet5 *net, const float *params, struct isa_params *packed);
void cpu_unpack(const struct lenet5 *net, const struct isa_params *packed, float *params);
// Computes the filters at the points of isa_winograd.h.
void cpu_winograd(const struct isa_params *, struct isa_winograd *);
// Transposes the weights, for the gradients of the inputs.
void cpu_turn(const struct isa_params *packed, struct isa_transposed *turned);
