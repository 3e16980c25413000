// Kernels of the cuDNN path by themselves, on the emulated GPU.
#include "kernels/cudnn/cudnn_parts.h"
#include "tests/emulate/emulate.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>

enum { MAPS = 2 };

// The relative error of the sums over n pictures of two maps, the worse one.
static double map_sums_error(int n, int area)
{
	float *d = malloc((size_t)n * MAPS * (size_t)area * sizeof *d), dp[MAPS] = { NAN, NAN };
	double want[MAPS] = { 0 }, error = 0;
	struct cudnn_map_gradients g = { .n = n, .n_gradients = 1, .gradients = { { d, NULL, dp, MAPS, area } } };
	cudaStream_t stream;
	for (int i = 0; i < n * MAPS * area; i++)
		want[i / area % MAPS] += (double)(d[i] = 0.1f * (float)(1 + i / area % 3));
	g.sums = malloc(cudnn_map_gradients_n_sums(&g) * sizeof *g.sums);
	CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
	CHECK(cudnn_map_gradients_launch(&g, stream) == cudaSuccess && cudaStreamSynchronize(stream) == cudaSuccess);
	cudaStreamDestroy(stream);
	free(g.sums);
	free(d);
	for (int map = 0; map < MAPS; map++)
		error = fmax(error, fabs((double)dp[map] / want[map] - 1));
	return error;
}

// A block that sums all pictures is wrong by 2.7e-5 at the last size.
TEST(cudnn_sums_maps_in_short_chains)
{
	static const struct {
		int n, area;
	} sizes[] = { { 1, 784 }, { 2, 784 }, { 7, 100 }, { 41, 25 }, { 1025, 1 }, { 1500, 784 } };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		double error = map_sums_error(sizes[i].n, sizes[i].area);
		CHECK_MSG(error < 1e-6, "%d pictures of %d: error %.1e", sizes[i].n, sizes[i].area, error); // 9.2e-8
	}
}
