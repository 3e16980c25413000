#include "models/augment.h"

#include "core/lenet5.h"
#include "core/rng.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 64, BYTES = N * LENET5_PIXELS };

static const struct augment everything = { 12, 0.15, 0.2, 2, 1, 4 };

// A blob of ink about the centre, as digits are.
static void draw_blobs(uint8_t *pictures)
{
	for (int i = 0; i < BYTES; i++) {
		int y = i % LENET5_PIXELS / LENET5_SIDE, x = i % LENET5_SIDE;
		double r2 = (x - 13.5) * (x - 13.5) + (y - 13.5) * (y - 13.5);
		pictures[i] = (uint8_t)(255 * exp(-r2 / 18));
	}
}

static void centre(const uint8_t *picture, double *x, double *y, double *mass)
{
	*x = *y = *mass = 0;
	for (int i = 0; i < LENET5_PIXELS; i++) {
		*x += picture[i] * (i % LENET5_SIDE);
		*y += picture[i] * (i / LENET5_SIDE);
		*mass += picture[i];
	}
	*x /= *mass;
	*y /= *mass;
}

static void distort(struct augment limits, uint32_t seed, uint32_t epoch, const uint8_t *from, uint8_t *to, int n_threads)
{
	memset(to, 0xaa, BYTES);
	augment_epoch(&limits, seed, epoch, from, N, to, n_threads);
}

TEST(augment_depends_on_seed_epoch_and_place_alone)
{
	static uint8_t from[BYTES], one[BYTES], other[BYTES];
	draw_blobs(from);
	distort(everything, 1, 1, from, one, 1);
	for (int n_threads = 2; n_threads <= 7; n_threads++) {
		distort(everything, 1, 1, from, other, n_threads);
		CHECK_MSG(memcmp(one, other, BYTES) == 0, "%d threads", n_threads);
	}
	augment_epoch(&everything, 1, 1, from, 10, other, 1000); // more threads than pictures
	CHECK(memcmp(one, other, 10 * LENET5_PIXELS) == 0);
	distort(everything, 1, 2, from, other, 1);
	CHECK(memcmp(one, other, LENET5_PIXELS) != 0);
	distort(everything, 2, 1, from, other, 1);
	CHECK(memcmp(one, other, LENET5_PIXELS) != 0);
	CHECK(memcmp(one, one + LENET5_PIXELS, LENET5_PIXELS) != 0); // equal pictures are distorted apart
}

TEST(augment_none_is_identity)
{
	static uint8_t from[BYTES], to[BYTES];
	struct augment none = { .elastic_sigma = 4 };
	CHECK(augment_is_none(&none) && !augment_is_none(&everything));
	struct rng rng;
	rng_init(&rng, 5);
	for (int i = 0; i < BYTES; i++)
		from[i] = (uint8_t)rng_next(&rng);
	distort(none, 1, 1, from, to, 2);
	CHECK(memcmp(from, to, BYTES) == 0);
}

TEST(augment_shift_moves_the_centre)
{
	static uint8_t from[BYTES], to[BYTES];
	draw_blobs(from);
	distort((struct augment){ .shift = 3, .elastic_sigma = 4 }, 1, 1, from, to, 1);
	double low = 99, high = 0, x, y, mass;
	for (int i = 0; i < N; i++) {
		centre(to + (ptrdiff_t)i * LENET5_PIXELS, &x, &y, &mass);
		low = x < low ? x : low;
		high = x > high ? x : high;
		CHECK(fabs(x - 13.5) < 3.1 && fabs(y - 13.5) < 3.1);
	}
	CHECK_MSG(low < 11.5 && high > 15.5, "from %g to %g", low, high);
}

TEST(augment_scale_changes_the_mass)
{
	static uint8_t from[BYTES], to[BYTES];
	draw_blobs(from);
	distort((struct augment){ .scale = 0.2, .elastic_sigma = 4 }, 1, 1, from, to, 1);
	double before, x, y, mass, low = HUGE_VAL, high = 0;
	centre(from, &x, &y, &before);
	for (int i = 0; i < N; i++) {
		centre(to + (ptrdiff_t)i * LENET5_PIXELS, &x, &y, &mass);
		low = mass / before < low ? mass / before : low;
		high = mass / before > high ? mass / before : high;
		CHECK(fabs(x - 13.5) < 0.2 && fabs(y - 13.5) < 0.2);
	}
	CHECK_MSG(low > 0.8 * 0.8 - 0.02 && low < 0.85 && high < 1.2 * 1.2 + 0.02 && high > 1.15, "%g to %g", low, high);
}

// A ramp's grey levels say where each pixel came from, so that the field itself can be measured.
TEST(augment_elastic_has_its_amplitude)
{
	static uint8_t from[BYTES], to[BYTES];
	for (int i = 0; i < BYTES; i++)
		from[i] = (uint8_t)(9 * (i % LENET5_SIDE));
	distort((struct augment){ .elastic = 1.5, .elastic_sigma = 2 }, 1, 1, from, to, 1);
	double squares = 0, steps = 0;
	int n = 0;
	for (int i = 0; i < N; i++) {
		for (int y = 8; y < 20; y++) {
			for (int x = 8; x < 20; x++, n++) {
				int at = i * LENET5_PIXELS + y * LENET5_SIDE + x;
				double d = (to[at] - from[at]) / 9.0, below = (to[at + LENET5_SIDE] - from[at + LENET5_SIDE]) / 9.0;
				squares += d * d;
				steps += (d - below) * (d - below);
			}
		}
	}
	double rms = sqrt(squares / n), roughness = sqrt(steps / n) / rms;
	CHECK_MSG(rms > 1.35 && rms < 1.65, "root mean square %g", rms);
	CHECK_MSG(roughness < 0.5, "neighbours differ by %g of it", roughness); // √(2·(1 − exp(−1/16))) = 0.35 of it
}

// The largest limits a recipe accepts: nothing may be read outside the picture (the sanitisers watch).
TEST(augment_far_out_is_background)
{
	static uint8_t from[BYTES], to[BYTES];
	memset(from, 255, BYTES);
	distort((struct augment){ 180, 0.9, 2, 28, 28, 0.5 }, 3, 1, from, to, 2);
	distort((struct augment){ 180, 0.9, 2, 28, 28, 28 }, 3, 1, from, to, 2);
	bool black = false, white = false;
	for (int i = 0; i < BYTES; i++) {
		black |= to[i] == 0;
		white |= to[i] == 255;
	}
	CHECK(black && white);
}
