// xoshiro128++ is small, fast and well tested; SplitMix64 spreads any seed, 0 included, over its 128 bits of state.
#include "core/rng.h"

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint32_t rotl(uint32_t x, int k)
{
	return (x << k) | (x >> (32 - k));
}

void rng_init(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i += 2) {
		uint64_t z = splitmix64(&seed);
		r->s[i] = (uint32_t)z;
		r->s[i + 1] = (uint32_t)(z >> 32);
	}
}

void rng_init_stream(struct rng *r, uint64_t seed, uint64_t stream)
{
	uint64_t x = seed;
	rng_init(r, splitmix64(&x) ^ (stream * 0xd1342543de82ef95u + 1));
}

uint32_t rng_next(struct rng *r)
{
	uint32_t *s = r->s;
	uint32_t result = rotl(s[0] + s[3], 7) + s[0];
	uint32_t t = s[1] << 9;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 11);
	return result;
}

float rng_uniform(struct rng *r, float low, float high)
{
	float u = (float)(rng_next(r) >> 8) * 0x1p-24f;
	float x = low + (high - low) * u;
	return x < high ? x : low; // the sum may round up to `high`
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	// Lemire, "Fast Random Integer Generation in an Interval", 2019.
	uint64_t m = (uint64_t)rng_next(r) * n;
	if ((uint32_t)m < n) {
		uint32_t threshold = -n % n;
		while ((uint32_t)m < threshold)
			m = (uint64_t)rng_next(r) * n;
	}
	return (uint32_t)(m >> 32);
}

void rng_shuffle(struct rng *r, uint32_t *items, uint32_t n)
{
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = rng_below(r, i);
		uint32_t held = items[i - 1];
		items[i - 1] = items[j];
		items[j] = held;
	}
}
