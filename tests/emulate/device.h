// CUDA's C++ for the kernels in kernels/*/*.cu, on this processor: included before everything else when they are compiled for
// the emulation. A kernel takes one struct by value, keeps its shared memory in cuda_shared, and meets its block's other
// threads in __syncthreads() and its warp's in __syncwarp() and the shuffles.
#pragma once

#include "tests/emulate/emulate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __shared__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct uint3 {
	unsigned x, y, z;
};
struct dim3 {
	unsigned x, y, z;
	dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
	{
	}
};
struct alignas(4) uchar4 {
	unsigned char x, y, z, w;
};
struct alignas(8) float2 {
	float x, y;
};
struct alignas(16) float4 {
	float x, y, z, w;
};
static inline float4 make_float4(float x, float y, float z, float w)
{
	return { x, y, z, w };
}

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
enum { EMULATE_SHARED_BYTES = 227 * 1024, warpSize = 32 }; // the most of any card; emulate_card() says how much of it there is
extern float4 cuda_shared[EMULATE_SHARED_BYTES / sizeof(float4)];

void __syncthreads();
void __syncwarp(unsigned mask = 0xffffffff);
unsigned long long emulate_shuffle(unsigned long long bits, int lane);
static inline void __threadfence()
{
}
static inline void __threadfence_system()
{
	emulate_counts.system_fences++;
}

static inline unsigned __float_as_uint(float x)
{
	unsigned bits;
	std::memcpy(&bits, &x, sizeof bits);
	return bits;
}

template <class T> static inline T __ldg(const T *p)
{
	return *p;
}
template <class T> static inline T emulate_shuffle_value(T value, int lane)
{
	unsigned long long bits = 0;
	std::memcpy(&bits, &value, sizeof value);
	bits = emulate_shuffle(bits, lane);
	std::memcpy(&value, &bits, sizeof value);
	return value;
}
template <class T> static inline T __shfl_xor_sync(unsigned, T value, int mask)
{
	return emulate_shuffle_value(value, (int)(threadIdx.x % warpSize) ^ mask);
}
template <class T> static inline T __shfl_down_sync(unsigned, T value, int delta)
{
	int lane = (int)(threadIdx.x % warpSize);
	return emulate_shuffle_value(value, lane + delta < warpSize ? lane + delta : lane);
}
static inline unsigned atomicAdd(unsigned *p, unsigned n)
{
	unsigned old = *p;
	emulate_counts.atomics++;
	*p += n;
	return old;
}
// The product is exact; the sum is rounded twice, which no test can tell from once, and is ten times as fast here.
static inline float emulate_fmaf(float a, float b, float c)
{
	return (float)((double)a * (double)b + (double)c);
}
#define fmaf emulate_fmaf
using std::max;
using std::min;

cudaError_t emulate_launch(const void *kernel, const std::function<void()> &call, dim3 grid, dim3 block, size_t shared_bytes,
			   cudaStream_t stream);
cudaError_t emulate_allow_shared(const void *kernel, int bytes);

template <class Arguments>
cudaError_t cudaLaunchKernel(void (*kernel)(Arguments), dim3 grid, dim3 block, void **arguments, size_t shared_bytes,
			     cudaStream_t stream)
{
	Arguments copy = *(Arguments *)arguments[0];
	return emulate_launch((const void *)kernel, [=] { kernel(copy); }, grid, block, shared_bytes, stream);
}
template <class Arguments> cudaError_t cudaFuncSetAttribute(void (*kernel)(Arguments), cudaFuncAttribute, int bytes)
{
	return emulate_allow_shared((const void *)kernel, bytes);
}
