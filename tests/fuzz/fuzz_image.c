// A picture, from its bytes to a digit.
#include "core/digit.h"
#include "core/image.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	enum { MAX_PIXELS = 1 << 20 };
	struct image image = { 0 };
	struct err e = { .msg = "" };
	if (image_read_png(bytes, n, MAX_PIXELS, &image, &e)) {
		if (e.msg[0] == '\0' || image.pixels)
			abort();
		return 0;
	}
	if (image.width < 1 || image.height < 1 || image.width > MAX_PIXELS / image.height)
		abort();
	uint8_t pixels[784];
	int brightest = 0;
	if (digit_from_image(&image, pixels, &e) == DIGIT_OK) {
		for (int i = 0; i < 784; i++)
			brightest = pixels[i] > brightest ? pixels[i] : brightest;
		if (brightest == 0)
			abort();
	}
	image_free(&image);
	return 0;
}
