// One walk over all parameters pairs each with its place in the packed layout; packing and unpacking are that walk with
// the copy in one direction or the other.
#include "kernels/cpu_pack.h"

#include <string.h>

static void copy(float *params, float *packed, int unpack)
{
	if (unpack)
		*params = *packed;
	else
		*packed = *params;
}

// out × in of a full layer, in the order of the file; weight [in][stride], bias [stride]; returns where the next begins.
static float *walk_full(float *params, float *weight, float *bias, int n_out, int n_in, int stride, int unpack)
{
	for (int out = 0; out < n_out; out++)
		for (int in = 0; in < n_in; in++)
			copy(params++, &weight[in * stride + out], unpack);
	for (int out = 0; out < n_out; out++)
		copy(params++, &bias[out], unpack);
	return params;
}

static void walk(float *params, struct isa_params *w, int unpack)
{
	for (int map = 0; map < N_MAPS1; map++)
		for (int tap = 0; tap < N_TAPS; tap++)
			copy(params++, &w->c1_weight[map][tap / 5][tap % 5], unpack);
	for (int map = 0; map < N_MAPS1; map++)
		copy(params++, &w->c1_bias[map], unpack);
	for (int out = 0; out < N_MAPS3; out++)
		for (int map = 0; map < N_MAPS1; map++)
			for (int tap = 0; tap < N_TAPS; tap++)
				copy(params++, &w->c3_weight[map][tap][out], unpack);
	for (int out = 0; out < N_MAPS3; out++)
		copy(params++, &w->c3_bias[out], unpack);
	for (int out = 0; out < N_C5; out++)
		for (int map = 0; map < N_MAPS3; map++)
			for (int pixel = 0; pixel < 25; pixel++)
				copy(params++, &w->c5_weight[pixel * N_MAPS3 + map][out], unpack);
	for (int out = 0; out < N_C5; out++)
		copy(params++, &w->c5_bias[out], unpack);
	params = walk_full(params, w->f6_weight[0], w->f6_bias, N_F6, N_C5, F6_STRIDE, unpack);
	walk_full(params, w->output_weight[0], w->output_bias, LENET5_DIGITS, N_F6, SCORES_STRIDE, unpack);
}

void cpu_pack(const float *params, struct isa_params *packed)
{
	memset(packed, 0, sizeof *packed);
	walk((float *)params, packed, 0); // only read
}

void cpu_unpack(const struct isa_params *packed, float *params)
{
	walk(params, (struct isa_params *)packed, 1); // only read
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
