// rng: a seedable generator in a struct: xoshiro128++ 1.0 (Blackman and Vigna, 2019), seeded through SplitMix64.
// The sequence depends on the seed alone, so a run can be repeated, and the four words can be saved and restored.
// A generator belongs to one thread at a time.
#pragma once

#include <stdint.h>

struct rng {
	uint32_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);

// An independent generator for item `stream` of `seed`: what a picture's distortion draws from, whichever thread does it.
void rng_init_stream(struct rng *r, uint64_t seed, uint64_t stream);

uint32_t rng_next(struct rng *r); // all 32 bits uniform
float rng_uniform(struct rng *r, float low, float high); // [low, high), 24 bits of resolution
uint32_t rng_below(struct rng *r, uint32_t n); // 0..n-1 without bias, n > 0

// Fisher and Yates: every order of the n items equally likely.
void rng_shuffle(struct rng *r, uint32_t *items, uint32_t n);
