// The weights at the points of isa_winograd.h, for one instruction set, once a model.
#include "kernels/isa_winograd.h"

// Five weights → their values at the points, divided by what an input's values there are multiplied with.
//
//      ⎡   1      0      0      0      0   ⎤     0
//      ⎢  1/3    1/3    1/3    1/3    1/3  ⎥     1
//      ⎢ −1/3    1/3   −1/3    1/3   −1/3  ⎥    −1
//      ⎢ −16/15 −8/15  −4/15  −2/15  −1/15 ⎥    1/2
//      ⎢  1/15  −2/15   4/15  −8/15  16/15 ⎥    −2
//      ⎣   0      0      0      0      1   ⎦     ∞
ALWAYS_INLINE void weights_at_points(const vf g[5], float *points, int stride)
{
	vf even = (g[0] + g[4]) + g[2], odd = g[1] + g[3];
	vf at_half = vf_fma(g[0], vf_set1(16.0f), vf_fma(g[1], vf_set1(8.0f), vf_fma(g[2], vf_set1(4.0f), g[3] + g[3]))) + g[4];
	vf at_minus_2 = vf_fma(g[4], vf_set1(16.0f), vf_fma(g[3], vf_set1(-8.0f), vf_fma(g[2], vf_set1(4.0f), g[0] - (g[1] + g[1]))));
	vf_store(&points[0], g[0]);
	vf_store(&points[stride], (even + odd) * vf_set1(1.0f / 3));
	vf_store(&points[2 * stride], (odd - even) * vf_set1(1.0f / 3));
	vf_store(&points[3 * stride], at_half * vf_set1(-1.0f / 15));
	vf_store(&points[4 * stride], at_minus_2 * vf_set1(1.0f / 15));
	vf_store(&points[5 * stride], g[4]);
}

void ISA_NAME(isa_winograd)(const struct isa_params *w, struct isa_winograd *to)
{
	enum { C1_STRIDE = sizeof to->c1_weight[0] / sizeof(float), C3_STRIDE = sizeof to->c3_weight[0] / sizeof(float) };
	float c1[5][C1_STRIDE] = { { 0 } }; // [kx][ky·8 + map]
	for (int map = 0; map < N_MAPS1; map++)
		for (int ky = 0; ky < 5; ky++)
			for (int kx = 0; kx < 5; kx++)
				c1[kx][ky * 8 + map] = w->c1_weight[map][ky][kx];
	VF_EACH(i, C1_STRIDE) {
		vf row[5];
		for (int kx = 0; kx < 5; kx++)
			row[kx] = vf_load(&c1[kx][i]);
		weights_at_points(row, &to->c1_weight[0][0][0] + i, C1_STRIDE);
	}
	for (int in = 0; in < N_MAPS1; in++)
	for (int kx = 0; kx < 5; kx++)
		VF_EACH(out, N_MAPS3) {
			vf column[5];
			for (int ky = 0; ky < 5; ky++)
				column[ky] = vf_load(&w->c3_weight[in][ky * 5 + kx][out]);
			weights_at_points(column, &to->c3_weight[0][in][kx][out], C3_STRIDE);
		}
}
