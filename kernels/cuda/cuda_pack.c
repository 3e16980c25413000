// lenet.bin's order → that of the GPU's threads, and back: a table says where each tensor goes, one walk serves both ways.
#include "kernels/cuda/cuda_net.h"

#include <stddef.h>
#include <string.h>

#define PLACE(field) offsetof(struct cuda_params, field) / sizeof(float)

// A tensor as (out, in, tap), or a vector as (1, 1, n); the strides are those of struct cuda_params.
static const struct {
	size_t at;
	int n[3], stride[3];
} places[LENET5_N_PARAMETERS] = {
	[LENET5_C1_WEIGHT] = { PLACE(c1_weight), { 6, 1, 25 }, { CUDA_TAPS, 0, 1 } },
	[LENET5_C1_BIAS] = { PLACE(c1_bias), { 1, 1, 6 }, { 0, 0, 1 } },
	[LENET5_S2_WEIGHT] = { PLACE(s2_weight), { 1, 1, 6 }, { 0, 0, 1 } },
	[LENET5_S2_BIAS] = { PLACE(s2_bias), { 1, 1, 6 }, { 0, 0, 1 } },
	[LENET5_C3_WEIGHT] = { PLACE(c3_weight), { 16, 6, 25 }, { CUDA_TAPS, 16 * CUDA_TAPS, 1 } },
	[LENET5_C3_BIAS] = { PLACE(c3_bias), { 1, 1, 16 }, { 0, 0, 1 } },
	[LENET5_S4_WEIGHT] = { PLACE(s4_weight), { 1, 1, 16 }, { 0, 0, 1 } },
	[LENET5_S4_BIAS] = { PLACE(s4_bias), { 1, 1, 16 }, { 0, 0, 1 } },
	[LENET5_C5_WEIGHT] = { PLACE(c5_weight), { 120, 400, 1 }, { 1, 120, 0 } },
	[LENET5_C5_BIAS] = { PLACE(c5_bias), { 1, 1, 120 }, { 0, 0, 1 } },
	[LENET5_F6_WEIGHT] = { PLACE(f6_weight), { 84, 120, 1 }, { 1, 84, 0 } },
	[LENET5_F6_BIAS] = { PLACE(f6_bias), { 1, 1, 84 }, { 0, 0, 1 } },
	[LENET5_OUTPUT_WEIGHT] = { PLACE(output_weight), { 10, 84, 1 }, { 1, CUDA_SCORES, 0 } },
	[LENET5_OUTPUT_BIAS] = { PLACE(output_bias), { 1, 1, 10 }, { 0, 0, 1 } },
};

// Calls `move` with each parameter in lenet.bin's order and its place in the packed layout.
static void walk(const struct lenet5 *net, float *params, float *packed, void (*move)(float *param, float *packed))
{
	for (int t = 0; t < net->n_tensors; t++) {
		const enum lenet5_parameter which = net->tensors[t].parameter;
		const int *n = places[which].n, *stride = places[which].stride;
		float *param = params + net->tensors[t].offset, *to = packed + places[which].at;
		for (int out = 0; out < n[0]; out++)
			for (int in = 0; in < n[1]; in++)
				for (int tap = 0; tap < n[2]; tap++)
					move(param++, &to[out * stride[0] + in * stride[1] + tap * stride[2]]);
	}
}

static void pack(float *param, float *packed)
{
	*packed = *param;
}

static void unpack(float *param, float *packed)
{
	*param = *packed;
}

void cuda_pack(const struct lenet5 *net, const float *params, struct cuda_params *packed)
{
	memset(packed, 0, sizeof *packed);
	walk(net, (float *)params, (float *)packed, pack);
}

void cuda_unpack(const struct lenet5 *net, const struct cuda_params *packed, float *params)
{
	walk(net, params, (float *)packed, unpack);
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
