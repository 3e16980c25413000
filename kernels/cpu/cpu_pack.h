// cpu_pack: between the parameters of lenet.bin and the CPU's layouts.
#pragma once

#include "kernels/cpu/isa.h"

// params: (n_params), as the network's tensors say. Padding becomes zero.
void cpu_pack(const struct lenet5 *net, const float *params, struct isa_params *packed);
void cpu_unpack(const struct lenet5 *net, const struct isa_params *packed, float *params);
void cpu_winograd(const struct isa_params *, struct isa_winograd *);
void cpu_turn(const struct isa_params *packed, struct isa_transposed *turned);
