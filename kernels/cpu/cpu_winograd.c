// The weights at the points of isa_winograd.h, once a model.
#include "kernels/cpu/cpu_pack.h"

static const double c1_points[] = { 0, 1, -1, 0.5, -0.5, 2, -2 }, c3_points[] = { 0, 1, -1, 0.5, -0.5, 1.5, -1.5, -4 };

// A column of five weights, `step` floats apart → its value at each of n points, divided by what an input's value there is multiplied
// with, and at infinity.
static void weights_at_points(const float *column, int step, const double *points, int n, float *at, size_t stride)
{
	for (int i = 0; i < n; i++) {
		double value = 0, divisor = 1;
		for (int k = 4; k >= 0; k--)
			value = value * points[i] + (double)column[k * step];
		for (int other = 0; other < n; other++)
			divisor *= other == i ? 1 : points[i] - points[other];
		at[(size_t)i * stride] = (float)(value / divisor);
	}
	at[(size_t)n * stride] = column[4 * step];
}

void cpu_winograd(const struct isa_params *w, struct isa_winograd *to)
{
	enum { C1_STRIDE = sizeof to->c1_weight[0] / sizeof(float), C3_STRIDE = sizeof to->c3_weight[0] / sizeof(float) };
	for (int map = 0; map < N_MAPS1; map++)
		for (int kx = 0; kx < 5; kx++)
			weights_at_points(&w->c1_weight[map][0][kx], 8, c1_points, C1_POINTS - 1, &to->c1_weight[0][kx][map],
					  C1_STRIDE);
	for (int in = 0; in < N_MAPS1; in++)
		for (int kx = 0; kx < 5; kx++)
			for (int out = 0; out < N_MAPS3; out++)
				weights_at_points(&w->c3_weight[in][kx][out], 5 * N_MAPS3, c3_points, C3_POINTS - 1,
						  &to->c3_weight[0][in][kx][out], C3_STRIDE);
}
