// A picture, from its bytes to a digit: as it is, and with the chunks' checksums mended, without which hardly any change
// would come past them.
#include "core/digit.h"
#include "core/image.h"
#include "core/plain_png.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void read_picture(const uint8_t *bytes, size_t n)
{
	enum { MAX_PIXELS = 1 << 20 };
	struct image image = { 0 };
	struct err e = { .msg = "" };
	if (image_read_png(bytes, n, MAX_PIXELS, &image, &e)) {
		if (e.msg[0] == '\0' || image.pixels)
			abort();
		return;
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
}

// What is read as a plain picture is to be what libpng makes of it, if that takes it: with a text in the file, which is not plain.
static void compare_with_libpng(const uint8_t *bytes, size_t n)
{
	enum { MAX_PIXELS = 1 << 16, AT = 8 + 12 + 13 };
	static const uint8_t text[] = "\0\0\0\3tEXta\0b\xdc\x49\xa2\x3b";
	struct plain_png plain;
	if (!plain_png_read(bytes, n, MAX_PIXELS, &plain))
		return;
	free(plain.samples);
	uint8_t *texted = malloc(n + sizeof text);
	memcpy(texted, bytes, AT);
	memcpy(texted + AT, text, sizeof text - 1);
	memcpy(texted + AT + sizeof text - 1, bytes + AT, n - AT);
	struct image quick, slow;
	struct err e;
	if (plain_png_read(texted, n + sizeof text - 1, MAX_PIXELS, &plain) || image_read_png(bytes, n, MAX_PIXELS, &quick, &e))
		abort();
	if (image_read_png(texted, n + sizeof text - 1, MAX_PIXELS, &slow, &e) == IMAGE_OK) {
		if (memcmp(quick.pixels, slow.pixels, (size_t)quick.width * (size_t)quick.height) != 0)
			abort();
		image_free(&slow);
	}
	image_free(&quick);
	free(texted);
}

static size_t get_u32(const uint8_t *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

// Of each chunk that is there as a whole: length, type, data, CRC of type and data.
static void mend_checksums(uint8_t *bytes, size_t n)
{
	size_t at = 8;
	while (at + 12 <= n && get_u32(bytes + at) <= n - at - 12) {
		size_t length = get_u32(bytes + at);
		unsigned long crc = crc32(0, bytes + at + 4, (unsigned)length + 4);
		at += 8 + length;
		for (int i = 0; i < 4; i++)
			bytes[at++] = (uint8_t)(crc >> (24 - 8 * i));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	read_picture(bytes, n);
	uint8_t *copy = malloc(n + !n);
	memcpy(copy, bytes, n);
	mend_checksums(copy, n);
	read_picture(copy, n);
	compare_with_libpng(copy, n);
	free(copy);
	return 0;
}
