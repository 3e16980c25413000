// image: a grey picture in memory.
#pragma once

#include <stdint.h>

// Row by row. Owned by its holder; image_free frees it.
struct image {
	int width, height;
	uint8_t *pixels; // (height, width), 0 black to 255 white
};

void image_free(struct image *image);
