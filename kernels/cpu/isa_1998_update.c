// One step of gradient descent in the network as published, for one instruction set: the full layers as in every network, C1 and
// S2 after adding up the columns of their gradients, C3 where there are links. The centres stay as they are.
#include "kernels/cpu/isa_1998.h"
#include "kernels/cpu/isa_backward.h"

// A run of n gradients and where they go; scale: NULL, or the rates' factors.
ALWAYS_INLINE void descend_run(const struct isa_sgd *sgd, const float *gradient, int n, float *params, float *momentum,
			       const float *scale)
{
	VF_EACH(i, n)
		descend(sgd, vf_load(&gradient[i]), &params[i], &momentum[i], scale ? &scale[i] : NULL);
}

#define DESCEND(sgd, gradient, params, momentum, field)                                                                            \
	descend_run(sgd, (const float *)(gradient), sizeof(params)->field / sizeof(float), (float *)(params)->field,               \
		    (float *)(momentum)->field, (sgd)->scale ? (const float *)(sgd)->scale->field : NULL)

static float add_columns(const float columns[16])
{
	float sum = columns[0];
	for (int i = 1; i < 14; i++)
		sum += columns[i];
	return sum;
}

static void add_gradients(const union isa_gradient *gradients, int n, struct isa_1998_gradient *sum)
{
	*sum = gradients[0].of_1998;
	for (int g = 1; g < n; g++)
		add_run((float *)sum, (const float *)&gradients[g].of_1998, sizeof *sum / sizeof(float));
}

static void update_c1_s2(const struct isa_1998_gradient *g, const struct isa_sgd *sgd, struct isa_params *params,
			 struct isa_params *momentum)
{
	struct {
		float c1_weight[N_MAPS1][5][8], c1_bias[16], s2_weight[16], s2_bias[16];
	} sum = { 0 };
	for (int map = 0; map < N_MAPS1; map++) {
		for (int tap = 0; tap < N_TAPS; tap++)
			sum.c1_weight[map][tap / 5][tap % 5] = add_columns(g->c1_weight[map][tap]);
		sum.c1_bias[map] = add_columns(g->c1_bias[map]);
		sum.s2_weight[map] = add_columns(g->s2_weight[map]);
		sum.s2_bias[map] = add_columns(g->s2_bias[map]);
	}
	DESCEND(sgd, sum.c1_weight, params, momentum, c1_weight);
	DESCEND(sgd, sum.c1_bias, params, momentum, c1_bias);
	DESCEND(sgd, sum.s2_weight, params, momentum, s2_weight);
	DESCEND(sgd, sum.s2_bias, params, momentum, s2_bias);
}

static void update_c3_s4(const struct lenet5 *net, struct isa_1998_gradient *g, const struct isa_sgd *sgd,
			 struct isa_params *params, struct isa_params *momentum)
{
	for (int map = 0; map < N_MAPS1; map++)
		for (int tap = 0; tap < N_TAPS; tap++)
			for (int out = 0; out < N_MAPS3; out++)
				if (!(net->c3_links[out] >> map & 1))
					g->c3_weight[map][tap][out] = 0;
	DESCEND(sgd, g->c3_weight, params, momentum, c3_weight);
	DESCEND(sgd, g->c3_bias, params, momentum, c3_bias);
	DESCEND(sgd, g->s4_weight, params, momentum, s4_weight);
	DESCEND(sgd, g->s4_bias, params, momentum, s4_bias);
}

void ISA_NAME(isa_1998_update)(int part, const struct isa_features *f, int pictures, const union isa_gradient *gradients,
			       int n_gradients, const struct isa_sgd *sgd, struct isa_params *params, struct isa_params *momentum,
			       struct isa_transposed *turned)
{
	const struct isa_params *scale = sgd->scale;
	if (part < UPDATE_C5) {
		update_c5(part, f, pictures, sgd, scale, params, momentum, turned);
	} else if (part < UPDATE_C5 + UPDATE_F6) {
		update_f6(part - UPDATE_C5, f, pictures, sgd, scale, params, momentum, turned);
	} else {
		struct isa_1998_gradient sum;
		update_bias(sgd, f->dc5, pictures, C5_STRIDE, params->c5_bias, momentum->c5_bias, scale ? scale->c5_bias : NULL);
		update_bias(sgd, f->df6, pictures, F6_STRIDE, params->f6_bias, momentum->f6_bias, scale ? scale->f6_bias : NULL);
		add_gradients(gradients, n_gradients, &sum);
		update_c1_s2(&sum, sgd, params, momentum);
		update_c3_s4(sgd->net, &sum, sgd, params, momentum);
	}
}
