#include "core/rng.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// What https://prng.di.unimi.it/xoshiro128plusplus.c gives for the state {1, 2, 3, 4}; also the vector in the tests of
// Rust's rand_xoshiro.
TEST(rng_next_is_xoshiro128plusplus)
{
	static const uint32_t want[] = { 641,        1573767,    3222811527, 3517856514, 836907274,
					 4247214768, 3867114732, 1355841295, 495546011,  621204420 };
	struct rng r = { { 1, 2, 3, 4 } };
	for (int i = 0; i < 10; i++) {
		uint32_t got = rng_next(&r);
		CHECK_MSG(got == want[i], "output %d: %u, want %u", i, got, want[i]);
	}
}

// SplitMix64 of seed 1234567 begins with 6457827717110365317, 3203168211198807973 (rosettacode.org/wiki/…/Splitmix64).
TEST(rng_init_is_splitmix64)
{
	struct rng r;
	rng_init(&r, 1234567);
	uint64_t first = (uint64_t)r.s[1] << 32 | r.s[0], second = (uint64_t)r.s[3] << 32 | r.s[2];
	CHECK(first == 6457827717110365317u);
	CHECK(second == 3203168211198807973u);
}

TEST(rng_any_seed_works_and_the_same_gives_the_same)
{
	struct rng a, b;
	rng_init(&a, 0);
	rng_init(&b, 0);
	CHECK(a.s[0] | a.s[1] | a.s[2] | a.s[3]);
	for (int i = 0; i < 100; i++)
		CHECK(rng_next(&a) == rng_next(&b));
	struct rng saved = a;
	uint32_t next = rng_next(&a);
	CHECK(rng_next(&saved) == next);
}

TEST(rng_streams_differ)
{
	enum { N = 300 };
	static struct rng streams[N];
	for (uint64_t i = 0; i < N; i++)
		rng_init_stream(&streams[i], i % 3, i / 3); // seeds 0, 1, 2 of streams 0..99
	for (int i = 0; i < N; i++)
		for (int k = 0; k < i; k++)
			CHECK_MSG(memcmp(&streams[i], &streams[k], sizeof streams[i]) != 0, "%d and %d are the same", k, i);
}

TEST(rng_below_is_uniform)
{
	static const uint32_t bounds[] = { 1, 2, 3, 10, 17 };
	struct rng r;
	rng_init(&r, 5);
	for (int b = 0; b < 5; b++) {
		enum { DRAWS = 100000 };
		int counts[17] = { 0 };
		for (int i = 0; i < DRAWS; i++) {
			uint32_t drawn = rng_below(&r, bounds[b]);
			CHECK(drawn < bounds[b]);
			counts[drawn % 17]++;
		}
		double mean = DRAWS / (double)bounds[b], chi2 = 0;
		for (uint32_t i = 0; i < bounds[b]; i++)
			chi2 += (counts[i] - mean) * (counts[i] - mean) / mean;
		// 16 degrees of freedom exceed 39.3 once in a thousand; the seed is fixed.
		CHECK_MSG(chi2 < 39.3, "below %u: chi² %.1f", bounds[b], chi2);
	}
}

// Without the rejection a bound of 3·2^30 draws its first third twice as often as the others.
TEST(rng_below_has_no_bias_for_large_bounds)
{
	struct rng r;
	rng_init(&r, 6);
	uint32_t bound = 3u << 30;
	int counts[3] = { 0 };
	for (int i = 0; i < 30000; i++)
		counts[rng_below(&r, bound) % 3]++;
	for (int i = 0; i < 3; i++)
		CHECK_MSG(abs(counts[i] - 10000) < 350, "residue %d: %d of 30000", i, counts[i]);
}

TEST(rng_uniform_stays_below_its_bound)
{
	struct rng r;
	rng_init(&r, 7);
	double sum = 0;
	for (int i = 0; i < 100000; i++) {
		float x = rng_uniform(&r, -0.25f, 0.75f);
		CHECK(x >= -0.25f && x < 0.75f);
		sum += (double)x;
		// Here nearly every sum would round up to the bound.
		float tight = rng_uniform(&r, 1, nextafterf(1, 2));
		CHECK(tight == 1);
	}
	CHECK_MSG(fabs(sum / 100000 - 0.25) < 0.004, "mean %g", sum / 100000);
}

TEST(rng_shuffle_gives_every_order_as_often)
{
	struct rng r;
	rng_init(&r, 9);
	int counts[4][4] = { 0 }, orders[256] = { 0 };
	for (int i = 0; i < 24000; i++) {
		uint32_t items[4] = { 0, 1, 2, 3 };
		rng_shuffle(&r, items, 4);
		orders[items[0] << 6 | items[1] << 4 | items[2] << 2 | items[3]]++;
		for (int k = 0; k < 4; k++)
			counts[k][items[k] & 3]++;
	}
	int seen = 0;
	for (int i = 0; i < 256; i++) {
		seen += orders[i] > 0;
		CHECK_MSG(orders[i] == 0 || abs(orders[i] - 1000) < 130, "order %02x: %d of 24000", (unsigned)i, orders[i]);
	}
	CHECK(seen == 24);
	rng_shuffle(&r, NULL, 0);
}
