// A table says where each tensor lies; core/pack.c moves them.
#include "core/pack.h"
#include "kernels/cuda/cuda_net.h"

#include <stddef.h>
#include <string.h>

#define PLACE(field) offsetof(struct cuda_params, field) / sizeof(float)

// The strides are those of struct cuda_params; filters are (out, in, tap).
static const struct pack_place places[LENET5_N_PARAMETERS] = {
	[LENET5_C1_WEIGHT] = { PLACE(c1_weight), { 1, 6, 1, 25 }, { 0, CUDA_TAPS, 0, 1 } },
	[LENET5_C1_BIAS] = PACK_VECTOR(PLACE(c1_bias), 6),
	[LENET5_S2_WEIGHT] = PACK_VECTOR(PLACE(s2_weight), 6),
	[LENET5_S2_BIAS] = PACK_VECTOR(PLACE(s2_bias), 6),
	[LENET5_C3_WEIGHT] = { PLACE(c3_weight), { 1, 16, 6, 25 }, { 0, CUDA_TAPS, 16 * CUDA_TAPS, 1 } },
	[LENET5_C3_BIAS] = PACK_VECTOR(PLACE(c3_bias), 16),
	[LENET5_S4_WEIGHT] = PACK_VECTOR(PLACE(s4_weight), 16),
	[LENET5_S4_BIAS] = PACK_VECTOR(PLACE(s4_bias), 16),
	[LENET5_C5_WEIGHT] = { PLACE(c5_weight), { 1, 120, 400, 1 }, { 0, 1, 120, 0 } },
	[LENET5_C5_BIAS] = PACK_VECTOR(PLACE(c5_bias), 120),
	[LENET5_F6_WEIGHT] = { PLACE(f6_weight), { 1, 84, 120, 1 }, { 0, 1, 84, 0 } },
	[LENET5_F6_BIAS] = PACK_VECTOR(PLACE(f6_bias), 84),
	[LENET5_OUTPUT_WEIGHT] = { PLACE(output_weight), { 1, 10, 84, 1 }, { 0, 1, CUDA_SCORES, 0 } },
	[LENET5_OUTPUT_BIAS] = PACK_VECTOR(PLACE(output_bias), 10),
};

void cuda_pack(const struct lenet5 *net, const float *params, struct cuda_params *packed)
{
	memset(packed, 0, sizeof *packed);
	pack_parameters(net, places, params, (float *)packed);
}

void cuda_unpack(const struct lenet5 *net, const struct cuda_params *packed, float *params)
{
	pack_parameters_back(net, places, (const float *)packed, params);
}

void cuda_turn(const struct cuda_params *packed, struct cuda_turned *turned)
{
	memset(turned, 0, sizeof *turned);
	for (int filter = 0; filter < 6 * 16; filter++)
		for (int tap = 0; tap < 25; tap++)
			turned->c3_weight[filter / 16][filter % 16][24 - tap] = packed->c3_weight[filter / 16][filter % 16][tap];
	for (int in = 0; in < 400; in++)
		for (int unit = 0; unit < 120; unit++)
			turned->c5_weight[unit][in] = packed->c5_weight[in][unit];
	for (int in = 0; in < 120; in++)
		for (int unit = 0; unit < 84; unit++)
			turned->f6_weight[unit][in] = packed->f6_weight[in][unit];
	for (int in = 0; in < 84; in++)
		for (int unit = 0; unit < 10; unit++)
			turned->output_weight[unit][in] = packed->output_weight[in][unit];
}

struct cuda_network cuda_network_of(const struct engine_network *n, const struct cuda_params *params)
{
	const struct lenet5 *net = n->net;
	struct cuda_network network = {
		.params = params,
		.mean = n->mean,
		.scale = 1 / n->std,
		.published = net->output == LENET5_PENALTIES,
		.s2 = net->activation[LENET5_S2],
		.s4 = net->activation[LENET5_S4],
		.f6 = net->activation[LENET5_F6],
	};
	memcpy(network.c3_links, net->c3_links, sizeof network.c3_links);
	return network;
}
