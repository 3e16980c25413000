// cuda_layers: the forward pass as device functions, shared by inference (cuda_forward.cu) and training (cuda_train.cu).
//
// A block of CUDA_THREADS threads computes P pictures from pixels to scores; everything between stays in shared memory.
// Each output is one chain of fused multiply-adds that starts at the bias and takes its inputs in a fixed order, or four such
// chains whose ends are added in a fixed order; a thread owns whole chains. P decides only how many chains a thread has, so a
// picture's bits do not depend on it, on the batch, or on the place in it.
//
//   C1+S2  a thread owns one pooling window in three maps: 6×6 pixels in registers, four sums a map.
//   C3+S4  a thread owns one pooling window in one map (P = 1) or two.
//   full   a thread owns one unit's quarter of the inputs, for P pictures: a weight is loaded once for all of them.
//
// PUBLISHED: the network of 1998, whose windows are summed, and whose output are squared distances.
#pragma once

#include "kernels/cuda/cuda_activation.cuh"
#include "kernels/cuda/cuda_net.h"

enum {
	CUDA_THREADS = 512,
	S2_STRIDE = 20, // a row of 14 and padding; with 16 c3_s4's loads take up to 1.9 times as long, by bank conflicts
	N_INPUT = LENET5_PADDED * LENET5_PADDED,
	N_S2 = 6 * 14 * S2_STRIDE,
	N_S4 = LENET5_N_S4,
	N_C5 = LENET5_N_C5,
	N_F6 = LENET5_N_F6,
	N_SCORES = LENET5_DIGITS,
	N_CHAINS = 4, // of a unit of a full layer
};

extern __shared__ float4 cuda_shared[]; // float4: aligned for the widest loads

// Allows a kernel sizeof(Memory) bytes of dynamic shared memory; once for each device, before the kernel's first launch.
template <class Memory, class Arguments> cudaError_t allow_shared(void (*kernel)(Arguments))
{
	static_assert(sizeof(Memory) <= 64 << 10, "the most that compute capability 7.5 gives a block");
	return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)sizeof(Memory));
}

// The input of a block's P pictures, and what is written when C1 and S2 have read it: in its place, so that four pictures fit
// into 64 KB. Full layers are [unit][picture].
template <int P> struct cuda_input {
	union {
		float input[P][N_INPUT];
		struct {
			float s4[N_S4][P];
			float c5[N_C5][P];
			float chains[N_CHAINS][N_C5][P];
		};
	};
};

// Of one picture a trace and the way back want every layer: side by side.
template <> struct cuda_input<1> {
	float input[1][N_INPUT];
	float s4[N_S4][1];
	float c5[N_C5][1];
	float chains[N_CHAINS][N_C5][1];
};

// A block's filters and the layers of its P pictures.
template <int P> struct cuda_layers : cuda_input<P> {
	alignas(float4) float c1_weight[6][CUDA_TAPS], c1_bias[8], s2_weight[8], s2_bias[8];
	float c3_weight[6][16][CUDA_TAPS], c3_bias[16], s4_weight[16], s4_bias[16];
	float s2[P][N_S2];
	float f6[N_F6][P];
	float scores[N_SCORES][P];
};

// Which of the four of a pooling window won, (y·2 + x): for the way back.
struct cuda_winners {
	unsigned char s2[6 * 196], s4[N_S4];
};

__device__ __forceinline__ void copy_float4(float *to, const float *from, int n_floats)
{
	for (int i = (int)threadIdx.x; i < n_floats / 4; i += CUDA_THREADS)
		((float4 *)to)[i] = ((const float4 *)from)[i];
}

template <int P> __device__ void load_filters(cuda_layers<P> *l, const struct cuda_params *params)
{
	copy_float4(l->c1_weight[0], params->c1_weight[0], 6 * CUDA_TAPS);
	copy_float4(l->c1_bias, params->c1_bias, 8);
	copy_float4(l->s2_weight, params->s2_weight, 8);
	copy_float4(l->s2_bias, params->s2_bias, 8);
	copy_float4(l->c3_weight[0][0], params->c3_weight[0][0], 6 * 16 * CUDA_TAPS);
	copy_float4(l->c3_bias, params->c3_bias, 16);
	copy_float4(l->s4_weight, params->s4_weight, 16);
	copy_float4(l->s4_bias, params->s4_bias, 16);
}

// The frame of two pixels around the picture is background, as an input of 0.
__device__ __forceinline__ bool in_frame(int i)
{
	int y = i / 32, x = i % 32;
	return y < 2 || y >= 30 || x < 2 || x >= 30;
}

// nvcc rounds a division as IEEE 754 does, so the bits are those of engine_ink_from_pixels.
__device__ __forceinline__ float4 ink_from_pixels(uchar4 four)
{
	return make_float4(four.x / 255.0f, four.y / 255.0f, four.z / 255.0f, four.w / 255.0f);
}

// Pictures first..first+n-1 of a pass, n ≤ P. The rest of the block's P pictures are background.
template <int P> __device__ void load_ink(cuda_layers<P> *l, const struct cuda_forward *f, int first, int n)
{
	const struct cuda_network *network = &f->network;
	float background = (0.0f - network->mean) * network->scale;
	for (int i = (int)threadIdx.x; i < P * N_INPUT; i += CUDA_THREADS)
		if (i / N_INPUT >= n || in_frame(i % N_INPUT))
			l->input[i / N_INPUT][i % N_INPUT] = background;
	for (int i = (int)threadIdx.x; i < n * LENET5_PIXELS / 4; i += CUDA_THREADS) {
		size_t at = (size_t)first * (LENET5_PIXELS / 4) + (size_t)i;
		float4 four = f->pixels ? ink_from_pixels(((const uchar4 *)f->pixels)[at]) : ((const float4 *)f->ink)[at];
		int picture = i / (LENET5_PIXELS / 4), pixel = i % (LENET5_PIXELS / 4) * 4;
		float *to = &l->input[picture][(pixel / 28 + 2) * 32 + pixel % 28 + 2];
		to[0] = (four.x - network->mean) * network->scale;
		to[1] = (four.y - network->mean) * network->scale;
		to[2] = (four.z - network->mean) * network->scale;
		to[3] = (four.w - network->mean) * network->scale;
	}
}

struct patch {
	float at[6][6];
};

// The 6×6 below a pooling window; `from` is 8-byte aligned.
__device__ __forceinline__ patch load_patch(const float *from, int stride)
{
	patch p;
#pragma unroll
	for (int y = 0; y < 6; y++)
#pragma unroll
		for (int x = 0; x < 6; x += 2) {
			float2 two = *(const float2 *)&from[y * stride + x];
			p.at[y][x] = two.x;
			p.at[y][x + 1] = two.y;
		}
	return p;
}

// Adds a 5×5 filter at the four places of the window, row after row.
__device__ __forceinline__ void convolve(const patch &p, const float *filter, float sums[4])
{
	float w[CUDA_TAPS];
#pragma unroll
	for (int i = 0; i < CUDA_TAPS / 4; i++) {
		float4 four = ((const float4 *)filter)[i];
		w[4 * i] = four.x, w[4 * i + 1] = four.y, w[4 * i + 2] = four.z, w[4 * i + 3] = four.w;
	}
#pragma unroll
	for (int tap = 0; tap < 25; tap++)
#pragma unroll
		for (int k = 0; k < 4; k++)
			sums[k] = fmaf(w[tap], p.at[tap / 5 + k / 2][tap % 5 + k % 2], sums[k]);
}

// The largest of the four; of equal ones the first.
__device__ __forceinline__ float pool(const float sums[4], int *winner)
{
	int best = 0;
	float value = sums[0];
#pragma unroll
	for (int k = 1; k < 4; k++)
		if (sums[k] > value) {
			value = sums[k];
			best = k;
		}
	*winner = best;
	return value;
}

// A window's value in S2 or S4. The four sums become the layer's below: they are activated where that is.
template <bool PUBLISHED>
__device__ __forceinline__ float pool_window(float sums[4], float weight, float bias, enum lenet5_activation activation,
					     int *winner)
{
	if constexpr (PUBLISHED) {
#pragma unroll
		for (int k = 0; k < 4; k++)
			sums[k] = activate(LENET5_SQUASH, sums[k]);
		return activate(LENET5_SQUASH, fmaf((sums[0] + sums[1]) + (sums[2] + sums[3]), weight, bias));
	} else {
		return activate(activation, pool(sums, winner));
	}
}

// What is to be kept of the layers beneath the pooling; each NULL, or of the only picture.
struct cuda_keep {
	struct engine_trace *trace;
	cuda_winners *winners;
	float *c3; // activated, (16, CUDA_SPREAD, SPREAD_STRIDE), inside a frame
};
enum {
	CUDA_FRAME = 4,
	CUDA_SPREAD = 10 + 2 * CUDA_FRAME, // C3's rows and columns and a frame on either side
	SPREAD_STRIDE = 20, // a row and padding; with 18 s2_back's loads take 1.5 times as long, by bank conflicts
};

// A place of C3 inside its frame.
__device__ __forceinline__ int in_spread(int map, int y, int x)
{
	return (map * CUDA_SPREAD + y + CUDA_FRAME) * SPREAD_STRIDE + x + CUDA_FRAME;
}

template <int P, bool PUBLISHED> __device__ void c1_s2(cuda_layers<P> *l, enum lenet5_activation activation, const cuda_keep &keep)
{
	for (int item = (int)threadIdx.x; item < P * 196 * 2; item += CUDA_THREADS) {
		int place = item % 196, y = place / 14, x = place % 14, picture = item / 196 % P, first = item / 196 / P * 3;
		patch in = load_patch(&l->input[picture][2 * y * 32 + 2 * x], 32);
#pragma unroll
		for (int map = first; map < first + 3; map++) {
			float b = l->c1_bias[map], sums[4] = { b, b, b, b };
			int winner;
			convolve(in, l->c1_weight[map], sums);
			l->s2[picture][(map * 14 + y) * S2_STRIDE + x] =
				pool_window<PUBLISHED>(sums, l->s2_weight[map], l->s2_bias[map], activation, &winner);
			if (!PUBLISHED && keep.winners)
				keep.winners->s2[map * 196 + place] = (unsigned char)winner;
			if (keep.trace)
				for (int k = 0; k < 4; k++)
					keep.trace->c1[(map * 28 + 2 * y + k / 2) * 28 + 2 * x + k % 2] = sums[k];
		}
	}
}

template <int P, bool PUBLISHED> __device__ void c3_s4(cuda_layers<P> *l, enum lenet5_activation activation, const cuda_keep &keep)
{
	constexpr int M = P == 1 ? 1 : 2; // maps of a thread
	for (int item = (int)threadIdx.x; item < P * 25 * (16 / M); item += CUDA_THREADS) {
		int place = item % 25, y = place / 5, x = place % 5, picture = item / 25 % P, first = item / 25 / P * M;
		float sums[M][4];
#pragma unroll
		for (int m = 0; m < M; m++)
			sums[m][0] = sums[m][1] = sums[m][2] = sums[m][3] = l->c3_bias[first + m];
		for (int map = 0; map < 6; map++) {
			patch in = load_patch(&l->s2[picture][(map * 14 + 2 * y) * S2_STRIDE + 2 * x], S2_STRIDE);
#pragma unroll
			for (int m = 0; m < M; m++)
				convolve(in, l->c3_weight[map][first + m], sums[m]);
		}
#pragma unroll
		for (int m = 0; m < M; m++) {
			int winner, map = first + m, unit = map * 25 + place;
			l->s4[unit][picture] =
				pool_window<PUBLISHED>(sums[m], l->s4_weight[map], l->s4_bias[map], activation, &winner);
			if (!PUBLISHED && keep.winners)
				keep.winners->s4[unit] = (unsigned char)winner;
			for (int k = 0; k < 4; k++) {
				int cy = 2 * y + k / 2, cx = 2 * x + k % 2;
				if (keep.trace)
					keep.trace->c3[(map * 10 + cy) * 10 + cx] = sums[m][k];
				if (PUBLISHED && keep.c3)
					keep.c3[in_spread(map, cy, cx)] = sums[m][k];
			}
		}
	}
}

// A full layer: N units of K inputs each. weight: (K, STRIDE) on the device. DISTANCES: units are squared distances to weights.
template <int P, int K, int N, int STRIDE, bool DISTANCES = false>
__device__ void full(const float (*in)[P], const float *weight, const float *bias, float (*chains)[N_C5][P],
		     enum lenet5_activation activation, float (*out)[P])
{
	static_assert(K % N_CHAINS == 0 && N * N_CHAINS <= CUDA_THREADS, "a thread a chain");
	int unit = (int)threadIdx.x % N, chain = (int)threadIdx.x / N;
	if (chain < N_CHAINS) {
		float sums[P];
#pragma unroll
		for (int p = 0; p < P; p++)
			sums[p] = chain == 0 && !DISTANCES ? bias[unit] : 0.0f;
#pragma unroll 25
		for (int i = chain * (K / N_CHAINS); i < (chain + 1) * (K / N_CHAINS); i++) {
			float w = weight[i * STRIDE + unit];
#pragma unroll
			for (int p = 0; p < P; p++) {
				float x = in[i][p], d = x - w;
				sums[p] = DISTANCES ? fmaf(d, d, sums[p]) : fmaf(w, x, sums[p]);
			}
		}
#pragma unroll
		for (int p = 0; p < P; p++)
			chains[chain][unit][p] = sums[p];
	}
	__syncthreads();
	for (int i = (int)threadIdx.x; i < N * P; i += CUDA_THREADS) {
		int u = i / P, p = i % P;
		out[u][p] = activate(activation, (chains[0][u][p] + chains[1][u][p]) + (chains[2][u][p] + chains[3][u][p]));
	}
	__syncthreads();
}

// From l->input, which all threads have written before a barrier, to l->scores, which all can read afterwards.
template <int P, bool PUBLISHED>
__device__ void forward_layers(cuda_layers<P> *l, const struct cuda_network *network, const cuda_keep &keep)
{
	const struct cuda_params *w = network->params;
	c1_s2<P, PUBLISHED>(l, network->s2, keep);
	__syncthreads();
	c3_s4<P, PUBLISHED>(l, network->s4, keep);
	__syncthreads();
	full<P, N_S4, N_C5, 120>(l->s4, w->c5_weight[0], w->c5_bias, l->chains, PUBLISHED ? LENET5_SQUASH : LENET5_IDENTITY, l->c5);
	full<P, N_C5, N_F6, 84>(l->c5, w->f6_weight[0], w->f6_bias, l->chains, PUBLISHED ? LENET5_SQUASH : network->f6, l->f6);
	full<P, N_F6, N_SCORES, CUDA_SCORES, PUBLISHED>(l->f6, w->output_weight[0], w->output_bias, l->chains, LENET5_IDENTITY,
							l->scores);
}
