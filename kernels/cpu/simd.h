// simd: one vector type, `vf`, as wide as the instruction set that this file is compiled for, and the few operations that
// the CPU engine needs. Every operation is elementwise, and no sum of the engine runs across lanes: so the width does not
// show in the result, and AVX2 and AVX-512 (both fuse multiply and add) give the same bits. Included by kernels/isa_*.c only.
#pragma once

#include <stdint.h>

#if defined __AVX512F__ || defined __AVX2__
#include <immintrin.h>
#endif

#if defined __AVX512F__
enum { VF_LANES = 16 };
typedef __m512 vf;
typedef __mmask16 vf_mask;
#define vf_load(p) _mm512_loadu_ps(p)
#define vf_store(p, v) _mm512_storeu_ps((void *)(p), v)
#define vf_set1(x) _mm512_set1_ps(x)
#define vf_fma(a, b, c) _mm512_fmadd_ps(a, b, c) // a·b + c
#define vf_max(a, b) _mm512_max_ps(a, b)
#define vf_min(a, b) _mm512_min_ps(a, b)
#define vf_greater(a, b) _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ)
#define vf_select(m, a, b) _mm512_mask_blend_ps(m, b, a) // m ? a : b
#define vf_round(x) _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define vf_power2(n) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23))
#define vf_abs(x) _mm512_abs_ps(x)

#elif defined __AVX2__ && defined __FMA__
enum { VF_LANES = 8 };
typedef __m256 vf;
typedef __m256 vf_mask;
#define vf_load(p) _mm256_loadu_ps(p)
#define vf_store(p, v) _mm256_storeu_ps((void *)(p), v)
#define vf_set1(x) _mm256_set1_ps(x)
#define vf_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vf_max(a, b) _mm256_max_ps(a, b)
#define vf_min(a, b) _mm256_min_ps(a, b)
#define vf_greater(a, b) _mm256_cmp_ps(a, b, _CMP_GT_OQ)
#define vf_select(m, a, b) _mm256_blendv_ps(b, a, m)
#define vf_round(x) _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define vf_power2(n) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23))
#define vf_abs(x) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x)

#else // whatever the compiler makes of four floats: SSE2, NEON, plain code
enum { VF_LANES = 4 };
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vf_mask __attribute__((vector_size(16)));
static inline vf vf_load(const float *p)
{
	vf v;
	__builtin_memcpy(&v, p, sizeof v);
	return v;
}
static inline void vf_store(void *p, vf v)
{
	__builtin_memcpy(p, &v, sizeof v);
}
#define vf_set1(x) ((vf){ (x), (x), (x), (x) })
#define vf_fma(a, b, c) ((a) * (b) + (c))
#define vf_greater(a, b) ((vf_mask)((a) > (b)))
static inline vf vf_select(vf_mask m, vf a, vf b)
{
	return (vf)((m & (vf_mask)a) | (~m & (vf_mask)b));
}
#define vf_max(a, b) vf_select(vf_greater(a, b), a, b)
#define vf_min(a, b) vf_select(vf_greater(b, a), a, b)
static inline vf vf_round(vf x) // |x| < 2^22: adding 1.5·2^23 leaves no bits for a fraction
{
	const vf magic = vf_set1(12582912.0f);
	return (x + magic) - magic;
}
#define vf_power2(n) ((vf)((__builtin_convertvector(n, vf_mask) + 127) << 23))
#define vf_abs(x) ((vf)((vf_mask)(x)&0x7fffffff))
#endif

// `vh`: eight floats or a whole vf, whichever is less. Read and written back at steps of eight floats, a store is found whole
// by the load that follows it, where a wider one would straddle two stores and wait for both.
#if defined __AVX512F__
enum { VH_LANES = 8 };
typedef __m256 vh;
#define vh_load(p) _mm256_loadu_ps(p)
#define vh_store(p, v) _mm256_storeu_ps((void *)(p), v)
#define vh_set1(x) _mm256_set1_ps(x)
#define vh_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#else
enum { VH_LANES = VF_LANES };
typedef vf vh;
#define vh_load vf_load
#define vh_store vf_store
#define vh_set1 vf_set1
#define vh_fma vf_fma
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
// Where registers are short: GCC keeps values of the caller in them, and the sums of an inlined loop go to memory and back.
#define NOINLINE static __attribute__((noinline))
// for (int i = 0; i < end; i++), unrolled `times` times.
#define UNROLLED(times, i, end) _Pragma(UNROLL_TEXT(GCC unroll times)) for (int i = 0; i < (end); i++)
#define UNROLL(times) _Pragma(UNROLL_TEXT(GCC unroll times))
#define UNROLL_TEXT(text) #text

#define VF_EACH(i, n) for (int i = 0; i < (n); i += VF_LANES) // i: the first lane of each vector of n floats

// eˣ within 2 ulp: x = n·ln 2 + r, |r| ≤ ln 2 / 2, Cephes' polynomial for eʳ. Arguments outside ±87 are clamped.
static inline vf vf_exp(vf x)
{
	x = vf_min(vf_max(x, vf_set1(-87.0f)), vf_set1(87.0f));
	vf n = vf_round(x * vf_set1(1.44269504f));
	vf r = vf_fma(n, vf_set1(-0.693359375f), x);
	r = vf_fma(n, vf_set1(2.12194440e-4f), r);
	vf p = vf_set1(1.9875691500e-4f);
	p = vf_fma(p, r, vf_set1(1.3981999507e-3f));
	p = vf_fma(p, r, vf_set1(8.3334519073e-3f));
	p = vf_fma(p, r, vf_set1(4.1665795894e-2f));
	p = vf_fma(p, r, vf_set1(1.6666665459e-1f));
	p = vf_fma(p, r, vf_set1(5.0000001201e-1f));
	p = vf_fma(p, r * r, r) + vf_set1(1.0f);
	return p * vf_power2(n);
}

static inline vf vf_sigmoid(vf x)
{
	return vf_set1(1.0f) / (vf_set1(1.0f) + vf_exp(vf_set1(0.0f) - x));
}

// tanh: Cephes' polynomial below 0.625, where 1 − 2/(e²ˣ+1) would cancel.
static inline vf vf_tanh(vf x)
{
	vf big = vf_set1(1.0f) - vf_set1(2.0f) / (vf_exp(vf_abs(x) + vf_abs(x)) + vf_set1(1.0f));
	big = vf_select(vf_greater(vf_set1(0.0f), x), vf_set1(0.0f) - big, big);
	vf z = x * x;
	vf p = vf_set1(-5.70498872745e-3f);
	p = vf_fma(p, z, vf_set1(2.06390887954e-2f));
	p = vf_fma(p, z, vf_set1(-5.37397155531e-2f));
	p = vf_fma(p, z, vf_set1(1.33314422036e-1f));
	p = vf_fma(p, z, vf_set1(-3.33332819422e-1f));
	vf small = vf_fma(p * z, x, x);
	return vf_select(vf_greater(vf_abs(x), vf_set1(0.625f)), big, small);
}
