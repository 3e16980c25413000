// The device's arithmetic peak: chains of multiply-adds that wait for nothing but each other, on every multiprocessor.
#include "kernels/cuda/cuda_net.h"

enum { THREADS = 256, BLOCKS_EACH = 8, CHAINS = 16, TURNS = 4096, LAUNCHES = 40 };

struct peak {
	float *sink; // (threads)
	float factor;
	int turns;
};

static __global__ void __launch_bounds__(THREADS) peak_kernel(struct peak p)
{
	float sums[CHAINS], x = (float)threadIdx.x;
#pragma unroll
	for (int k = 0; k < CHAINS; k++)
		sums[k] = (float)k;
	for (int i = 0; i < p.turns; i++)
#pragma unroll
		for (int k = 0; k < CHAINS; k++)
			sums[k] = fmaf(sums[k], p.factor, x);
	for (int k = 1; k < CHAINS; k++)
		sums[0] += sums[k];
	p.sink[blockIdx.x * THREADS + threadIdx.x] = sums[0];
}

static cudaError_t launch(float *sink, int turns, unsigned n_blocks, cudaStream_t stream)
{
	struct peak p = { sink, 0.5f, turns };
	void *arguments[] = { &p };
	return cudaLaunchKernel(peak_kernel, dim3(n_blocks), dim3(THREADS), arguments, 0, stream);
}

static cudaError_t measure(float *sink, unsigned n_blocks, cudaEvent_t start, cudaEvent_t end, cudaStream_t stream, double *flops)
{
	float milliseconds = 0;
	cudaError_t error = launch(sink, TURNS, n_blocks, stream); // warms
	if (!error)
		error = cudaEventRecord(start, stream);
	for (int i = 0; !error && i < LAUNCHES; i++)
		error = launch(sink, TURNS, n_blocks, stream);
	if (!error)
		error = cudaEventRecord(end, stream);
	if (!error)
		error = cudaStreamSynchronize(stream);
	if (!error)
		error = cudaEventElapsedTime(&milliseconds, start, end);
	if (!error)
		*flops = 2.0 * LAUNCHES * TURNS * CHAINS * THREADS * n_blocks / (milliseconds * 1e-3);
	return error;
}

cudaError_t cuda_peak(int n_multiprocessors, cudaStream_t stream, double *flops)
{
	unsigned n_blocks = (unsigned)n_multiprocessors * BLOCKS_EACH;
	cudaEvent_t start = nullptr, end = nullptr;
	void *sink = nullptr;
	cudaError_t error = cudaMalloc(&sink, n_blocks * THREADS * sizeof(float));
	if (!error)
		error = cudaEventCreateWithFlags(&start, cudaEventDefault);
	if (!error)
		error = cudaEventCreateWithFlags(&end, cudaEventDefault);
	if (!error)
		error = measure((float *)sink, n_blocks, start, end, stream, flops);
	if (end)
		cudaEventDestroy(end);
	if (start)
		cudaEventDestroy(start);
	cudaFree(sink);
	return error;
}
