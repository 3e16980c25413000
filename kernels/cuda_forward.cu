// Inference on a GPU: one launch is a whole forward pass. The block reads its pictures over the bus and writes its scores
// back, so that there is nothing to copy before or after, and the host sees the end in a word of its own memory, sooner
// than the driver would tell.
#include "kernels/cuda_layers.cuh"

static __device__ void write_trace(const cuda_layers<1> *l, struct engine_trace *trace)
{
	for (int i = (int)threadIdx.x; i < N_INPUT; i += CUDA_THREADS)
		trace->input[i] = l->input[0][i];
	for (int i = (int)threadIdx.x; i < 6 * 196; i += CUDA_THREADS)
		trace->s2[i] = l->s2[0][i / 14 * S2_STRIDE + i % 14];
	for (int i = (int)threadIdx.x; i < N_S4; i += CUDA_THREADS)
		trace->s4[i] = l->s4[i][0];
	for (int i = (int)threadIdx.x; i < N_C5; i += CUDA_THREADS)
		trace->c5[i] = l->c5[i][0];
	for (int i = (int)threadIdx.x; i < N_F6; i += CUDA_THREADS)
		trace->f6[i] = l->f6[i][0];
	for (int i = (int)threadIdx.x; i < N_SCORES; i += CUDA_THREADS)
		trace->output[i] = l->scores[i][0];
}

// CUDA's threadFenceReduction sample, with the host as the reader: a block's writes can be seen before it counts itself.
static __device__ void tell_host(const struct cuda_forward *f)
{
	__threadfence_system();
	__syncthreads();
	if (threadIdx.x == 0 && atomicAdd(f->n_ended, 1u) == gridDim.x - 1) {
		*f->n_ended = 0;
		__threadfence_system();
		*f->finished = f->ticket;
	}
}

template <int P, bool PUBLISHED> static __global__ void __launch_bounds__(CUDA_THREADS, P == 1 ? 1 : 2) forward_kernel(struct cuda_forward f)
{
	cuda_layers<P> *l = (cuda_layers<P> *)cuda_shared;
	int first = (int)blockIdx.x * P, n = f.n - first < P ? f.n - first : P;
	load_filters<P>(l, f.network.params);
	load_ink<P>(l, &f, first, n);
	__syncthreads();
	forward_layers<P, PUBLISHED>(l, &f.network, { P == 1 ? f.trace : nullptr, nullptr, nullptr });
	for (int i = (int)threadIdx.x; i < n * N_SCORES; i += CUDA_THREADS)
		f.scores[first * N_SCORES + i] = l->scores[i % N_SCORES][i / N_SCORES];
	if constexpr (P == 1)
		if (f.trace)
			write_trace(l, f.trace);
	tell_host(&f);
}

template <int P> static cudaError_t prepare()
{
	const int bytes = (int)sizeof(cuda_layers<P>);
	cudaError_t error = cudaFuncSetAttribute(forward_kernel<P, false>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
	return error ? error : cudaFuncSetAttribute(forward_kernel<P, true>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}

cudaError_t cuda_forward_prepare(void)
{
	cudaError_t error = prepare<1>();
	return error ? error : prepare<CUDA_MANY>();
}

template <int P> static cudaError_t launch(const struct cuda_forward *forward, cudaStream_t stream)
{
	void *arguments[] = { (void *)forward };
	const dim3 grid((unsigned)((forward->n + P - 1) / P)), block(CUDA_THREADS);
	if (forward->network.published)
		return cudaLaunchKernel(forward_kernel<P, true>, grid, block, arguments, sizeof(cuda_layers<P>), stream);
	return cudaLaunchKernel(forward_kernel<P, false>, grid, block, arguments, sizeof(cuda_layers<P>), stream);
}

cudaError_t cuda_forward_launch(const struct cuda_forward *forward, int pictures_a_block, cudaStream_t stream)
{
	return pictures_a_block == 1 ? launch<1>(forward, stream) : launch<CUDA_MANY>(forward, stream);
}
