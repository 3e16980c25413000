// colour: rows of RGB become luma and chroma.
#pragma once

#include <stddef.h>
#include <stdint.h>

// In 16 bits; their sum is 65536, so that white stays 255.
struct colour_luma {
	uint32_t red, green, blue;
};

extern const struct colour_luma colour_bt601, colour_rec709;

// rgb: n pixels of `step` bytes, the first three red, green and blue. luma by the weights given; cb and cr by BT.601, in full range.
void colour_split(const uint8_t *rgb, size_t step, size_t n, const struct colour_luma *weights, uint8_t *luma, uint8_t *cb,
		  uint8_t *cr);

// cmyk: (n, 4), 255 is no ink, as Adobe's programs store it; rgb: (n, 3). No colour profile is read, so this is the plain product.
void colour_from_inverted_cmyk(const uint8_t *cmyk, size_t n, uint8_t *rgb);
