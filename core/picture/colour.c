// JFIF 1.02's equations in whole numbers. Chroma's weights sum to 0, so that grey is exactly 128.
#include "core/picture/colour.h"

const struct colour_luma colour_bt601 = { 19595, 38470, 7471 }, colour_rec709 = { 13933, 46871, 4732 };

enum { HALF = 1 << 15, ZERO = (128 << 16) + HALF - 1 };

// A step that the compiler knows makes it quicker.
static inline void split(const uint8_t *rgb, size_t step, size_t n, const struct colour_luma *w, uint8_t *restrict luma,
			 uint8_t *restrict cb, uint8_t *restrict cr)
{
	uint32_t wr = w->red, wg = w->green, wb = w->blue;
	for (size_t i = 0; i < n; i++) {
		int red = rgb[step * i], green = rgb[step * i + 1], blue = rgb[step * i + 2];
		luma[i] = (uint8_t)((wr * (uint32_t)red + wg * (uint32_t)green + wb * (uint32_t)blue + HALF) >> 16);
		cb[i] = (uint8_t)((-11059 * red - 21709 * green + 32768 * blue + ZERO) >> 16);
		cr[i] = (uint8_t)((32768 * red - 27439 * green - 5329 * blue + ZERO) >> 16);
	}
}

void colour_split(const uint8_t *rgb, size_t step, size_t n, const struct colour_luma *weights, uint8_t *luma, uint8_t *cb,
		  uint8_t *cr)
{
	if (step == 4)
		split(rgb, 4, n, weights, luma, cb, cr);
	else
		split(rgb, 3, n, weights, luma, cb, cr);
}

void colour_from_inverted_cmyk(const uint8_t *cmyk, size_t n, uint8_t *rgb)
{
	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < 3; c++)
			rgb[3 * i + c] = (uint8_t)((cmyk[4 * i + c] * cmyk[4 * i + 3] + 127) / 255);
}
