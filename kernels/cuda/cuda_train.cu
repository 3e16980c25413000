// One step of gradient descent on a GPU. Every sum has a fixed order: over taps and windows inside a picture's block, then
// over the pictures of the step in the order of the step, by the one thread that owns the parameter. No atomics, so the
// bits do not depend on which block runs when.
//
// Max-pooling leaves one gradient in each 2×2 window. The gradients of the filters walk over those alone.
#include "kernels/cuda/cuda_backward.cuh"

#include <stddef.h>

enum { C1_PARTS = 3 }; // chains of a tap of C1: rows of windows, every third

struct learn_memory {
	struct cuda_backward back;
	cuda_winners winners;
	int s4_from[N_S4]; // where in S2 the winning window begins
	float c1_parts[C1_PARTS][6 * N_TAPS];
};

static __device__ void full_layers_back(struct cuda_backward *b, const struct cuda_training *t)
{
	const cuda_layers<1> *l = &b->layers;
	const struct cuda_turned *turned = t->turned;
	full_back<N_SCORES, N_F6>(b->dscores, turned->output_weight[0], t->network.f6, l->f6, b->df6);
	full_back<N_F6, N_C5>(b->df6, turned->f6_weight[0], LENET5_IDENTITY, l->c5, b->dc5);
	full_back<N_C5, N_S4>(b->dc5, turned->c5_weight[0], t->network.s4, l->s4, b->ds4);
}

// ds4 to the places of C3 that won.
static __device__ void spread_out(struct learn_memory *m)
{
	for (int unit = (int)threadIdx.x; unit < N_S4; unit += CUDA_THREADS) {
		int map = unit / 25, place = unit % 25, winner = m->winners.s4[unit];
		int y = place / 5 * 2 + winner / 2, x = place % 5 * 2 + winner % 2;
		m->back.dc3[in_spread(map, y, x)] = m->back.ds4[unit];
		m->s4_from[unit] = y * S2_STRIDE + x;
	}
}

// A thread owns a tap of a map of C3, for the six maps below it.
static __device__ void c3_gradient(const struct learn_memory *m, struct cuda_features *f)
{
	for (int item = (int)threadIdx.x; item < 16 * N_TAPS; item += CUDA_THREADS) {
		int map = item / N_TAPS, tap = item % N_TAPS, at = tap / 5 * S2_STRIDE + tap % 5;
		float sums[6] = { 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f }, bias = 0.0f;
#pragma unroll 5
		for (int unit = map * 25; unit < map * 25 + 25; unit++) {
			float d = m->back.ds4[unit];
			const float *s2 = &m->back.layers.s2[0][m->s4_from[unit] + at];
			bias += d;
#pragma unroll
			for (int in = 0; in < 6; in++)
				sums[in] = fmaf(d, s2[in * 14 * S2_STRIDE], sums[in]);
		}
#pragma unroll
		for (int in = 0; in < 6; in++)
			f->c3_weight[in][map][tap] = sums[in];
		if (tap == 0)
			f->c3_bias[map] = bias;
	}
}

static __device__ void c1_gradient(struct learn_memory *m, struct cuda_features *f)
{
	for (int item = (int)threadIdx.x; item < C1_PARTS * 6 * N_TAPS; item += CUDA_THREADS) {
		int part = item / (6 * N_TAPS), map = item / N_TAPS % 6, tap = item % N_TAPS;
		float sum = 0.0f;
		for (int y = part; y < 14; y += C1_PARTS)
#pragma unroll
			for (int x = 0; x < 14; x++) {
				int unit = (map * 14 + y) * 14 + x, winner = m->winners.s2[unit];
				int from = (2 * y + winner / 2 + tap / 5) * 32 + 2 * x + winner % 2 + tap % 5;
				sum = fmaf(m->back.ds2[unit], m->back.layers.input[0][from], sum);
			}
		m->c1_parts[part][item % (6 * N_TAPS)] = sum;
	}
	__syncthreads();
	for (int i = (int)threadIdx.x; i < 6 * N_TAPS; i += CUDA_THREADS)
		f->c1_weight[i / N_TAPS][i % N_TAPS] = (m->c1_parts[0][i] + m->c1_parts[1][i]) + m->c1_parts[2][i];
	if (threadIdx.x < 6) {
		float sum = 0.0f;
		for (int i = 0; i < 196; i++)
			sum += m->back.ds2[threadIdx.x * 196 + i];
		f->c1_bias[threadIdx.x] = sum;
	}
}

static __global__ void __launch_bounds__(CUDA_THREADS, 1) learn_kernel(struct cuda_training t)
{
	struct learn_memory *m = (struct learn_memory *)cuda_shared;
	struct cuda_backward *b = &m->back;
	struct cuda_features *f = &t.features[blockIdx.x];
	uint32_t n;
	int label;
	if (!begin_picture(b, &t, &n, &label))
		return;
	__syncthreads();
	forward_layers<1, false>(&b->layers, &t.network, { nullptr, &m->winners, nullptr });

	if (threadIdx.x == 0)
		f->loss = softmax_loss(b->layers.scores[0], label, t.label_smoothing, (int)n, b->dscores);
	turn_filters(b, t.turned);
	__syncthreads();
	full_layers_back(b, &t);
	spread_out(m);
	__syncthreads();
	c3_gradient(m, f);
	s2_back(b, t.network.s2);
	__syncthreads();
	c1_gradient(m, f);
	keep_features(b, f);
}

// A block of the update: `rows` rows of a full layer's weights, or CUDA_THREADS parameters of the convolutions, or the loss.
enum {
	C5_ROWS = CUDA_THREADS / N_C5,
	F6_ROWS = CUDA_THREADS / N_F6,
	SCORES_ROWS = CUDA_THREADS / N_SCORES,
	C5_BLOCKS = (N_S4 + 1 + C5_ROWS - 1) / C5_ROWS, // the bias is one more row, with an input of 1
	F6_BLOCKS = (N_C5 + 1 + F6_ROWS - 1) / F6_ROWS,
	SCORES_BLOCKS = (N_F6 + 1 + SCORES_ROWS - 1) / SCORES_ROWS,
	CONV_BLOCKS = (CUDA_N_CONV + CUDA_THREADS - 1) / CUDA_THREADS,
	UPDATE_BLOCKS = C5_BLOCKS + F6_BLOCKS + SCORES_BLOCKS + CONV_BLOCKS + 1,
};

#define IN_FEATURES(field) offsetof(struct cuda_features, field)
#define IN_PARAMS(field) offsetof(struct cuda_params, field)

static __device__ float descend(const struct cuda_training *t, float rate, float gradient, float *param, float *momentum)
{
	float g = fmaf(t->weight_decay, *param, gradient);
	*momentum = fmaf(t->momentum_rate, *momentum, g);
	return *param = fmaf(-rate, *momentum, *param);
}

// in, d: the offsets of a layer's inputs and of its units' gradients in struct cuda_features. weight: that of struct
// cuda_params; its bias follows it, as one more row. turned: (N, K).
template <int K, int N, int STRIDE>
static __device__ void update_full(const struct cuda_training *t, int block, float rate, uint32_t n, size_t in, size_t d,
				   size_t weight, float *turned)
{
	int row = block * (CUDA_THREADS / N) + (int)threadIdx.x / N, unit = (int)threadIdx.x % N;
	if (row > K || threadIdx.x >= CUDA_THREADS / N * N)
		return;
	const char *features = (const char *)t->features;
	float sum = 0.0f;
#pragma unroll 8
	for (uint32_t p = 0; p < n; p++, features += sizeof *t->features) {
		float x = row < K ? ((const float *)(features + in))[row] : 1.0f;
		sum = fmaf(x, ((const float *)(features + d))[unit], sum);
	}
	size_t at = weight / sizeof(float) + (size_t)(row * STRIDE + unit);
	float param = descend(t, rate, sum, (float *)t->params + at, (float *)t->momentum + at);
	if (row < K)
		turned[unit * K + row] = param;
}

static __device__ void turn_c3(struct cuda_turned *turned, int i, float param)
{
	int c3 = i - (int)(offsetof(struct cuda_params, c3_weight) / sizeof(float));
	int filter = c3 / CUDA_TAPS, tap = c3 % CUDA_TAPS;
	if (c3 >= 0 && filter < 6 * 16 && tap < N_TAPS)
		turned->c3_weight[filter / 16][filter % 16][24 - tap] = param;
}

static __device__ void update_conv(const struct cuda_training *t, int block, float rate, uint32_t n)
{
	int i = block * CUDA_THREADS + (int)threadIdx.x;
	if (i >= CUDA_N_CONV)
		return;
	float sum = 0.0f;
#pragma unroll 8
	for (uint32_t p = 0; p < n; p++)
		sum += ((const float *)&t->features[p])[IN_FEATURES(c1_weight) / sizeof(float) + i];
	turn_c3(t->turned, i, descend(t, rate, sum, (float *)t->params + i, (float *)t->momentum + i));
}

static __device__ void end_step(const struct cuda_training *t, uint32_t step, uint32_t n)
{
	if (threadIdx.x > 0)
		return;
	double sum = 0.0;
	for (uint32_t p = 0; p < n; p++)
		sum += t->features[p].loss;
	t->steps->losses[step] = (float)(sum / n);
	t->steps->next = step + 1;
}

static __global__ void __launch_bounds__(CUDA_THREADS) update_kernel(struct cuda_training t)
{
	uint32_t step = t.steps->current, n = pictures_of(&t, step);
	int block = (int)blockIdx.x;
	if (n == 0)
		return;
	float rate = t.steps->rates[step];
	if (block < C5_BLOCKS)
		return update_full<N_S4, N_C5, 120>(&t, block, rate, n, IN_FEATURES(s4), IN_FEATURES(dc5), IN_PARAMS(c5_weight),
						    t.turned->c5_weight[0]);
	block -= C5_BLOCKS;
	if (block < F6_BLOCKS)
		return update_full<N_C5, N_F6, 84>(&t, block, rate, n, IN_FEATURES(c5), IN_FEATURES(df6), IN_PARAMS(f6_weight),
						   t.turned->f6_weight[0]);
	block -= F6_BLOCKS;
	if (block < SCORES_BLOCKS && t.network.published)
		return; // centres stay where they are
	if (block < SCORES_BLOCKS)
		return update_full<N_F6, N_SCORES, CUDA_SCORES>(&t, block, rate, n, IN_FEATURES(f6), IN_FEATURES(dscores),
								IN_PARAMS(output_weight), t.turned->output_weight[0]);
	block -= SCORES_BLOCKS;
	if (block < CONV_BLOCKS)
		return update_conv(&t, block, rate, n);
	end_step(&t, step, n);
}

cudaError_t cuda_train_prepare(void)
{
	cudaError_t error = allow_shared<learn_memory>(learn_kernel);
	return error ? error : cudaFuncSetAttribute(update_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 0);
}

cudaError_t cuda_train_launch(const struct cuda_training *training, cudaStream_t stream)
{
	void *arguments[] = { (void *)training };
	cudaError_t error = training->network.published ? cuda_1998_learn_launch(training, stream)
							: cudaLaunchKernel(learn_kernel, dim3(training->batch), dim3(CUDA_THREADS),
									   arguments, sizeof(struct learn_memory), stream);
	return error ? error : cudaLaunchKernel(update_kernel, dim3(UPDATE_BLOCKS), dim3(CUDA_THREADS), arguments, 0, stream);
}
