// The tests look at every byte of a picture that is served a hundred thousand times a second: bytes count in lanes, and no table is made.
#include "core/picture/mnist.h"

#include "core/lenet5.h"

#include <string.h>

enum { SIDE = LENET5_SIDE, LEAST_CONTRAST = 24 };

// How many of n pixels that lie `step` bytes apart are 0, and how many are as the next.
static void count_plain(const uint8_t *at, int n, size_t step, int *zeros, int *same)
{
	for (int i = 0; i + 1 < n; i++, at += step) {
		*zeros += at[0] == 0;
		*same += at[0] == at[step];
	}
	*zeros += at[0] == 0;
}

// Whether a tenth of the inked pixels, and the mean of those above half of LEAST_CONTRAST, have that much ink. A lane counts 49 bytes at
// most.
static bool has_ink(const uint8_t pixels[LENET5_PIXELS])
{
	typedef uint8_t bytes __attribute__((vector_size(16)));
	typedef uint16_t words __attribute__((vector_size(16)));
	bytes n_ink = { 0 }, n_full = { 0 }, n_half = { 0 };
	words sums = { 0 };
	for (size_t i = 0; i < LENET5_PIXELS; i += sizeof(bytes)) {
		bytes v;
		memcpy(&v, pixels + i, sizeof v);
		bytes half = (bytes)(v > LEAST_CONTRAST / 2);
		n_ink -= (bytes)(v > 0);
		n_full -= (bytes)(v >= LEAST_CONTRAST);
		n_half -= half;
		words above = (words)(v & half);
		sums += (above & 255) + (above >> 8);
	}
	int ink = 0, full = 0, above_half = 0, sum = 0;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ink += n_ink[i];
		full += n_full[i];
		above_half += n_half[i];
		sum += i < sizeof(bytes) / 2 ? sums[i] : 0;
	}
	return 10 * full > ink && sum >= LEAST_CONTRAST * above_half;
}

bool mnist_is_its_form(const struct image *image)
{
	const uint8_t *pixels = image->pixels;
	int zeros = 0, same = 0;
	if (image->width != SIDE || image->height != SIDE)
		return false;
	count_plain(pixels, SIDE, 1, &zeros, &same);
	count_plain(pixels + (SIDE - 1) * SIDE, SIDE, 1, &zeros, &same);
	count_plain(pixels, SIDE, SIDE, &zeros, &same);
	count_plain(pixels + SIDE - 1, SIDE, SIDE, &zeros, &same);
	return 2 * zeros >= 4 * SIDE && 2 * same >= 4 * (SIDE - 1) && has_ink(pixels);
}
