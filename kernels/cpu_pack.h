// cpu_pack: between the parameters of lenet.bin and the CPU's layouts.
#pragma once

#include "kernels/isa.h"

// params: (61706), as lenet5's tensors say. Padding becomes zero.
void cpu_pack(const float *params, struct isa_params *packed);
void cpu_unpack(const struct isa_params *packed, float *params);
void cpu_turn(const struct isa_params *packed, struct isa_transposed *turned);
