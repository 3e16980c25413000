// image: a grey picture in memory. No state; any thread.
#pragma once

#include <stdint.h>

// Row by row. image_free frees its pixels.
struct image {
	int width, height;
	uint8_t *pixels; // (height, width), 0 black to 255 white
};

void image_free(struct image *image);
