// A table says where each tensor lies; core/pack.c moves them.
#include "kernels/cpu/cpu_pack.h"

#include "core/pack.h"

#include <stddef.h>
#include <string.h>

#define PLACE(field) offsetof(struct isa_params, field) / sizeof(float)

// The strides are those of struct isa_params.
static const struct pack_place places[LENET5_N_PARAMETERS] = {
	[LENET5_C1_WEIGHT] = { PLACE(c1_weight), { N_MAPS1, 1, 5, 5 }, { 5 * 8, 0, 8, 1 } },
	[LENET5_C1_BIAS] = PACK_VECTOR(PLACE(c1_bias), N_MAPS1),
	[LENET5_S2_WEIGHT] = PACK_VECTOR(PLACE(s2_weight), N_MAPS1),
	[LENET5_S2_BIAS] = PACK_VECTOR(PLACE(s2_bias), N_MAPS1),
	[LENET5_C3_WEIGHT] = { PLACE(c3_weight), { N_MAPS3, N_MAPS1, 5, 5 }, { 1, N_TAPS *N_MAPS3, 5 * N_MAPS3, N_MAPS3 } },
	[LENET5_C3_BIAS] = PACK_VECTOR(PLACE(c3_bias), N_MAPS3),
	[LENET5_S4_WEIGHT] = PACK_VECTOR(PLACE(s4_weight), N_MAPS3),
	[LENET5_S4_BIAS] = PACK_VECTOR(PLACE(s4_bias), N_MAPS3),
	[LENET5_C5_WEIGHT] = { PLACE(c5_weight),
			       { N_C5, N_MAPS3, 5, 5 },
			       { 1, C5_STRIDE, 5 * N_MAPS3 *C5_STRIDE, N_MAPS3 *C5_STRIDE } },
	[LENET5_C5_BIAS] = PACK_VECTOR(PLACE(c5_bias), N_C5),
	[LENET5_F6_WEIGHT] = { PLACE(f6_weight), { N_F6, N_C5, 1, 1 }, { 1, F6_STRIDE, 0, 0 } },
	[LENET5_F6_BIAS] = PACK_VECTOR(PLACE(f6_bias), N_F6),
	[LENET5_OUTPUT_WEIGHT] = { PLACE(output_weight), { LENET5_DIGITS, N_F6, 1, 1 }, { 1, SCORES_STRIDE, 0, 0 } },
	[LENET5_OUTPUT_BIAS] = PACK_VECTOR(PLACE(output_bias), LENET5_DIGITS),
};

void cpu_pack(const struct lenet5 *net, const float *params, struct isa_params *packed)
{
	memset(packed, 0, sizeof *packed);
	pack_parameters(net, places, params, (float *)packed);
}

void cpu_unpack(const struct lenet5 *net, const struct isa_params *packed, float *params)
{
	pack_parameters_back(net, places, (const float *)packed, params);
}

void cpu_turn(const struct isa_params *w, struct isa_transposed *turned)
{
	memset(turned, 0, sizeof *turned);
	for (int out = 0; out < N_MAPS3; out++)
		for (int map = 0; map < N_MAPS1; map++)
			for (int tap = 0; tap < N_TAPS; tap++)
				turned->c3_weight[out][tap / 5][tap % 5 * 8 + map] = w->c3_weight[map][tap][out];
	for (int out = 0; out < N_C5; out++)
		for (int in = 0; in < N_S4; in++)
			turned->c5_weight[out][in] = w->c5_weight[in][out];
	for (int out = 0; out < N_F6; out++)
		for (int in = 0; in < N_C5; in++)
			turned->f6_weight[out][in] = w->f6_weight[in][out];
	for (int out = 0; out < LENET5_DIGITS; out++)
		for (int in = 0; in < N_F6; in++)
			turned->output_weight[out][in] = w->output_weight[in][out];
}
