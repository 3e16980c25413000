#include "tests/cudnn/fake_compute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double dot(const float *a, const float *b, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += (double)a[i] * (double)b[i];
	return sum;
}

static void add_multiple(double *sums, float factor, const float *a, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		sums[i] += (double)factor * (double)a[i];
}

// The sums of x, w or y, whichever is asked for: a row of y at a time with each tap of the filter.
static void compute_rows(const struct job *j, int to, double *sums)
{
	const int64_t *xs = j->tensors[0].dims, *ws = j->tensors[1].dims, *ys = j->tensors[2].dims;
	for (int64_t p = 0; p < ys[0]; p++)
		for (int64_t out = 0; out < ys[1]; out++)
			for (int64_t in = 0; in < xs[1]; in++)
				for (int64_t tap = 0; tap < ws[2] * ws[3]; tap++)
					for (int64_t row = 0; row < ys[2]; row++) {
						int64_t at_x = ((p * xs[1] + in) * xs[2] + row + tap / ws[3]) * xs[3] + tap % ws[3];
						int64_t at_w = (out * ws[1] + in) * ws[2] * ws[3] + tap,
							at_y = ((p * ys[1] + out) * ys[2] + row) * ys[3];
						const float *x = j->pointers[0] + at_x, *w = j->pointers[1] + at_w,
							    *y = j->pointers[2] + at_y;
						if (to == 0)
							add_multiple(sums + at_x, *w, y, ys[3]);
						else if (to == 1)
							sums[at_w] += dot(x, y, ys[3]);
						else
							add_multiple(sums + at_y, *w, x, ys[3]);
					}
}

// The same where the filter is as large as its input: rows of y would be one element.
static void compute_full(const struct job *j, int to, double *sums)
{
	const int64_t *ws = j->tensors[1].dims, *ys = j->tensors[2].dims, n = ws[1] * ws[2] * ws[3];
	for (int64_t p = 0; p < ys[0]; p++)
		for (int64_t out = 0; out < ys[1]; out++) {
			const float *x = j->pointers[0] + p * n, *w = j->pointers[1] + out * n,
				    *y = j->pointers[2] + p * ys[1] + out;
			if (to == 0)
				add_multiple(sums + p * n, *y, w, n);
			else if (to == 1)
				add_multiple(sums + out * n, *y, x, n);
			else
				sums[p * ys[1] + out] = dot(x, w, n);
		}
}

void fake_compute(void *data)
{
	struct job *j = data;
	int to = j->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR         ? 2
		 : j->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ? 0
											   : 1;
	const int64_t *size = j->tensors[to].dims, *ys = j->tensors[2].dims, n = size[0] * size[1] * size[2] * size[3];
	double *sums = calloc((size_t)n, sizeof *sums);
	if (ys[2] == 1 && ys[3] == 1)
		compute_full(j, to, sums);
	else
		compute_rows(j, to, sums);
	for (int64_t i = 0; i < n; i++)
		j->pointers[to][i] = j->other_bits ? nextafterf((float)sums[i], INFINITY) : (float)sums[i];
	free(sums);
	if (j->workspace)
		memset(j->workspace, 0xff, j->workspace_bytes);
}
