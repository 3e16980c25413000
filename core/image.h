// image: grey pictures in memory, read from PNG and written to it; the only user of libpng. No state; any thread.
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A grey picture, row by row. image_free frees its pixels.
struct image {
	int width, height;
	uint8_t *pixels; // (height, width), 0 black to 255 white
};

void image_free(struct image *image);

// Whether the bytes begin as a PNG does.
bool image_is_png(const void *bytes, size_t n);

// Width × height by the header of a PNG; 0 if it is none, or cut off before that.
uint64_t image_n_pixels(const void *bytes, size_t n);

enum image_result {
	IMAGE_OK,
	IMAGE_NOT_PNG,
	IMAGE_TOO_LARGE, // more than max_pixels
	IMAGE_DAMAGED,
	IMAGE_FAILED, // no memory
};

// Reads any PNG: all colour types, depths and interlacing; 16 bits are rounded to 8, colours become luminance (Rec. 709,
// of the encoded values), a palette is looked up. Transparent pixels are laid on black if what is visible is light, on
// white if it is dark, so that the drawing stays apart from its ground. max_pixels is compared with the header's
// width × height before anything is allocated. Unless IMAGE_OK, e says why and *image is untouched.
enum image_result image_read_png(const void *bytes, size_t n, size_t max_pixels, struct image *image, struct err *e);

// Writes an 8-bit grey PNG. The caller frees *bytes.
int image_write_png(const struct image *image, uint8_t **bytes, size_t *n, struct err *e);
