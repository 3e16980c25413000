// lenet.bin's order → that of the vectors, and back: a table says where each tensor goes, one walk serves both ways.
#include "kernels/cpu/cpu_pack.h"

#include <stddef.h>
#include <string.h>

#define PLACE(field) offsetof(struct isa_params, field) / sizeof(float)
#define VECTOR(field, n)                                                                                                           \
	{                                                                                                                          \
		PLACE(field), { n, 1, 1, 1 },                                                                                      \
		{                                                                                                                  \
			1, 0, 0, 0                                                                                                 \
		}                                                                                                                  \
	}

// A tensor as (out, in, y, x); the strides are those of struct isa_params.
static const struct {
	size_t at;
	int n[4], stride[4];
} places[LENET5_N_PARAMETERS] = {
	[LENET5_C1_WEIGHT] = { PLACE(c1_weight), { N_MAPS1, 1, 5, 5 }, { 5 * 8, 0, 8, 1 } },
	[LENET5_C1_BIAS] = VECTOR(c1_bias, N_MAPS1),
	[LENET5_S2_WEIGHT] = VECTOR(s2_weight, N_MAPS1),
	[LENET5_S2_BIAS] = VECTOR(s2_bias, N_MAPS1),
	[LENET5_C3_WEIGHT] = { PLACE(c3_weight), { N_MAPS3, N_MAPS1, 5, 5 }, { 1, N_TAPS *N_MAPS3, 5 * N_MAPS3, N_MAPS3 } },
	[LENET5_C3_BIAS] = VECTOR(c3_bias, N_MAPS3),
	[LENET5_S4_WEIGHT] = VECTOR(s4_weight, N_MAPS3),
	[LENET5_S4_BIAS] = VECTOR(s4_bias, N_MAPS3),
	[LENET5_C5_WEIGHT] = { PLACE(c5_weight),
			       { N_C5, N_MAPS3, 5, 5 },
			       { 1, C5_STRIDE, 5 * N_MAPS3 *C5_STRIDE, N_MAPS3 *C5_STRIDE } },
	[LENET5_C5_BIAS] = VECTOR(c5_bias, N_C5),
	[LENET5_F6_WEIGHT] = { PLACE(f6_weight), { N_F6, N_C5, 1, 1 }, { 1, F6_STRIDE, 0, 0 } },
	[LENET5_F6_BIAS] = VECTOR(f6_bias, N_F6),
	[LENET5_OUTPUT_WEIGHT] = { PLACE(output_weight), { LENET5_DIGITS, N_F6, 1, 1 }, { 1, SCORES_STRIDE, 0, 0 } },
	[LENET5_OUTPUT_BIAS] = VECTOR(output_bias, LENET5_DIGITS),
};

static void pack(float *param, float *packed)
{
	*packed = *param;
}

static void unpack(float *param, float *packed)
{
	*param = *packed;
}

// Calls `move` with each parameter in lenet.bin's order and its place in the packed layout.
static void walk(const struct lenet5 *net, float *params, float *packed, void (*move)(float *param, float *packed))
{
	for (int t = 0; t < net->n_tensors; t++) {
		enum lenet5_parameter which = net->tensors[t].parameter;
		const int *n = places[which].n, *stride = places[which].stride;
		float *param = params + net->tensors[t].offset, *to = packed + places[which].at;
		for (int out = 0; out < n[0]; out++)
			for (int in = 0; in < n[1]; in++)
				for (int y = 0; y < n[2]; y++)
					for (int x = 0; x < n[3]; x++)
						move(param++,
						     &to[out * stride[0] + in * stride[1] + y * stride[2] + x * stride[3]]);
	}
}

void cpu_pack(const struct lenet5 *net, const float *params, struct isa_params *packed)
{
	memset(packed, 0, sizeof *packed);
	walk(net, (float *)params, (float *)packed, pack); // only read
}

void cpu_unpack(const struct lenet5 *net, const struct isa_params *packed, float *params)
{
	walk(net, params, (float *)packed, unpack); // only read
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
