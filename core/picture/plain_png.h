// plain_png: reads quickly the PNGs that most programs write: 8 bits, no palette, not interlaced, nothing in the file but IHDR, IDATs and
// IEND. libpng inflates row by row, which zlib is slow at where rows are short; here libdeflate inflates all rows at once. png.h reads
// every other PNG with libpng, which also reports what is wrong with a damaged one. Any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plain_png {
	uint32_t width, height; // at least 1; width·height is at most the limit
	int channels; // 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
	uint8_t *samples; // (height, width, channels), the caller's to free
};

// False: not plain, damaged, too large, or no memory; *png is untouched. Any bytes will do.
bool plain_png_read(const uint8_t *bytes, size_t n, size_t max_pixels, struct plain_png *png);
