// cuda_backward: the way back as device functions, shared by the networks of today (cuda_train.cu) and that of 1998
// (cuda_1998.cu). A block is one picture. d…: the gradient of the step's mean loss.
//
// The gradient of S2 is C3's convolution again: of C3's gradients in a frame of zeros, with the filters turned round.
#pragma once

#include "kernels/cuda/cuda_layers.cuh"

enum { N_TAPS = LENET5_TAPS, N_SPREAD = 16 * CUDA_SPREAD * SPREAD_STRIDE };

struct cuda_backward {
	cuda_layers<1> layers; // its c3_weight becomes the turned one
	float dc3[N_SPREAD]; // in its frame
	float ds4[N_S4], ds2[6 * 196], dc5[N_C5], df6[N_F6], dscores[N_SCORES]; // before the activations
};

static __device__ void load_pixels(cuda_layers<1> *l, const struct cuda_network *network, const uint8_t *pixels)
{
	for (int i = (int)threadIdx.x; i < N_INPUT; i += CUDA_THREADS) {
		float ink = in_frame(i) ? 0.0f : (float)pixels[(i / 32 - 2) * 28 + i % 32 - 2] / 255.0f;
		l->input[0][i] = (ink - network->mean) * network->scale;
	}
}

// The gradient of a full layer's inputs: N units, each the sum over K behind it. turned: (K, N).
template <int K, int N>
static __device__ void full_back(const float *d, const float *turned, enum lenet5_activation activation, const float (*y)[1],
				 float *out)
{
	for (int unit = (int)threadIdx.x; unit < N; unit += CUDA_THREADS) {
		float sum = 0.0f;
#pragma unroll 20
		for (int k = 0; k < K; k++)
			sum = fmaf(turned[k * N + unit], d[k], sum);
		out[unit] = derive(activation, y[unit][0], sum);
	}
	__syncthreads();
}

// A thread owns 2×2 pixels of a map of S2.
static __device__ void s2_back(struct cuda_backward *b, enum lenet5_activation activation)
{
	for (int item = (int)threadIdx.x; item < 6 * 49; item += CUDA_THREADS) {
		int map = item / 49, y = item % 49 / 7 * 2, x = item % 7 * 2;
		float sums[4] = { 0.0f, 0.0f, 0.0f, 0.0f };
		for (int out = 0; out < 16; out++)
			convolve(load_patch(&b->dc3[(out * CUDA_SPREAD + y) * SPREAD_STRIDE + x], SPREAD_STRIDE),
				 b->layers.c3_weight[map][out], sums);
#pragma unroll
		for (int k = 0; k < 4; k++) {
			int at = (map * 14 + y + k / 2) * S2_STRIDE + x + k % 2;
			b->ds2[(map * 14 + y + k / 2) * 14 + x + k % 2] = derive(activation, b->layers.s2[0][at], sums[k]);
		}
	}
}

static __device__ void keep_features(const struct cuda_backward *b, struct cuda_features *f)
{
	for (int i = (int)threadIdx.x; i < N_S4; i += CUDA_THREADS)
		f->s4[i] = b->layers.s4[i][0];
	for (int i = (int)threadIdx.x; i < N_C5; i += CUDA_THREADS) {
		f->c5[i] = b->layers.c5[i][0];
		f->dc5[i] = b->dc5[i];
	}
	for (int i = (int)threadIdx.x; i < N_F6; i += CUDA_THREADS) {
		f->f6[i] = b->layers.f6[i][0];
		f->df6[i] = b->df6[i];
	}
	for (int i = (int)threadIdx.x; i < N_SCORES; i += CUDA_THREADS)
		f->dscores[i] = b->dscores[i];
}

// How many pictures step `step` has; 0 past the last.
static __device__ __forceinline__ uint32_t pictures_of(const struct cuda_training *t, uint32_t step)
{
	uint32_t done = step * t->batch;
	return done >= t->steps->n ? 0 : t->steps->n - done < t->batch ? t->steps->n - done : t->batch;
}

// What both kernels begin with: the step's place, its picture and filters, a frame without gradients. False: the block has no
// picture. All threads may read what was written once they have met.
static __device__ __forceinline__ bool begin_picture(struct cuda_backward *b, const struct cuda_training *t, uint32_t *n,
						     int *label)
{
	struct cuda_steps *s = t->steps;
	uint32_t step = s->next;
	*n = pictures_of(t, step);
	if (blockIdx.x == 0 && threadIdx.x == 0)
		s->current = step;
	if (blockIdx.x >= *n)
		return false;
	uint32_t picture = s->order[step * t->batch + blockIdx.x];
	*label = s->labels[picture];
	load_filters<1>(&b->layers, t->params);
	load_pixels(&b->layers, &t->network, s->pixels + (size_t)picture * LENET5_PIXELS);
	for (int i = (int)threadIdx.x; i < N_SPREAD; i += CUDA_THREADS)
		b->dc3[i] = 0.0f;
	return true;
}

// The filters as s2_back wants them.
static __device__ __forceinline__ void turn_filters(struct cuda_backward *b, const struct cuda_turned *turned)
{
	copy_float4(b->layers.c3_weight[0][0], turned->c3_weight[0][0], 6 * 16 * CUDA_TAPS);
}
