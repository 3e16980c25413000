// Inference on a GPU: one launch is a whole forward pass. The block reads its pictures over the bus and writes its scores
// back, so that there is nothing to copy before or after, and the host sees the end in a word of its own memory, sooner
// than the driver would tell.
#include "kernels/cuda/cuda_layers.cuh"

#include <limits.h>

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

// One picture's answer: each score in a word of its own together with the ticket. A store of 8 aligned bytes reaches the host
// in one piece (CUDA C++ Programming Guide, "Mapped Memory"), so a host that sees the ticket sees the score. Nothing has to be
// ordered after anything, and no thread waits in a fence until the bus has taken its writes.
static __device__ void stamp_scores(const cuda_layers<1> *l, const struct cuda_forward *f)
{
	if (threadIdx.x < N_SCORES)
		f->stamped[threadIdx.x] = (uint64_t)f->ticket << 32 | __float_as_uint(l->scores[threadIdx.x][0]);
}

// CUDA's threadFenceReduction sample, with the host as the reader. The barrier orders the writes of all threads before thread
// 0's fence, and a fence is cumulative: whoever sees what thread 0 writes after it sees those writes, too. So one thread's
// fence is enough. The last block's second fence does the same for the blocks whose count it has read.
static __device__ void tell_host(const struct cuda_forward *f)
{
	__syncthreads();
	if (threadIdx.x > 0)
		return;
	__threadfence_system();
	if (gridDim.x > 1) {
		if (atomicAdd(f->n_ended, 1u) != gridDim.x - 1)
			return;
		*f->n_ended = 0;
		__threadfence_system();
	}
	*f->finished = f->ticket;
}

template <int P, bool PUBLISHED>
static __global__ void __launch_bounds__(CUDA_THREADS, P == 1 ? 1 : 2) forward_kernel(struct cuda_forward f)
{
	cuda_layers<P> *l = (cuda_layers<P> *)cuda_shared;
	int first = (int)blockIdx.x * P, n = f.n - first < P ? f.n - first : P;
	load_filters<P>(l, f.network.params);
	load_ink<P>(l, &f, first, n);
	__syncthreads();
	forward_layers<P, PUBLISHED>(l, &f.network, { P == 1 ? f.trace : nullptr, nullptr, nullptr });
	if constexpr (P == 1)
		if (f.stamped)
			return stamp_scores(l, &f);
	for (int i = (int)threadIdx.x; i < n * N_SCORES; i += CUDA_THREADS)
		f.scores[first * N_SCORES + i] = l->scores[i % N_SCORES][i / N_SCORES];
	if constexpr (P == 1)
		if (f.trace)
			write_trace(l, f.trace);
	tell_host(&f);
}

template <int P> static cudaError_t prepare()
{
	cudaError_t error = allow_shared<cuda_layers<P>>(forward_kernel<P, false>);
	return error ? error : allow_shared<cuda_layers<P>>(forward_kernel<P, true>);
}

cudaError_t cuda_forward_prepare(void)
{
	cudaError_t error = prepare<1>();
	error = error ? error : prepare<2>();
	return error ? error : prepare<4>();
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
	return pictures_a_block == 1   ? launch<1>(forward, stream)
	       : pictures_a_block == 2 ? launch<2>(forward, stream)
				       : launch<4>(forward, stream);
}

// Counts waves: the blocks of the multiprocessor that has the most. A block is taken to need the time of its pictures and of
// one more for loading the weights, which is an estimate. Of equal sizes the largest, which loads them least often.
int cuda_pictures_a_block(int n, int n_multiprocessors)
{
	int best = 4, least = INT_MAX;
	for (int p = 4; p >= 1; p /= 2) {
		int blocks = (n + p - 1) / p, waves = (blocks + n_multiprocessors - 1) / n_multiprocessors;
		if (waves * (p + 1) < least) {
			least = waves * (p + 1);
			best = p;
		}
	}
	return best;
}
