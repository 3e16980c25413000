#include "core/image.h"

#include "core/plain_png.h"
#include "core/rng.h"
#include "tests/unit/test.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PLENTY = 1 << 20 };

// tests/data/png: every colour type, depth and interlacing, with and without tRNS; what they show is from make.py.
TEST(image_reads_every_kind_of_png)
{
	enum { WIDTH = 13, HEIGHT = 11 };
	glob_t files;
	size_t n_expected;
	uint8_t *expected = test_file("tests/data/png/expected.bin", &n_expected);
	CHECK(glob("tests/data/png/*.png", 0, NULL, &files) == 0 && files.gl_pathc == 52);
	CHECK(n_expected == files.gl_pathc * WIDTH * HEIGHT);
	for (size_t f = 0; f < files.gl_pathc; f++) {
		size_t n;
		uint8_t *png = test_file(files.gl_pathv[f], &n);
		struct image image = { 0 };
		struct err e = { .msg = "" };
		int rc = image_read_png(png, n, PLENTY, &image, &e);
		CHECK_MSG(rc == 0, "%s: %s", files.gl_pathv[f], e.msg);
		CHECK(image.width == WIDTH && image.height == HEIGHT);
		for (int i = 0; rc == 0 && i < WIDTH * HEIGHT; i++) {
			uint8_t want = expected[f * WIDTH * HEIGHT + (size_t)i];
			CHECK_MSG(image.pixels[i] == want, "%s: pixel %d,%d is %d, want %d", files.gl_pathv[f], i % WIDTH,
				  i / WIDTH, image.pixels[i], want);
		}
		image_free(&image);
		free(png);
	}
	globfree(&files);
	free(expected);
}

static bool refused(const void *png, size_t n, size_t max_pixels, const char *word)
{
	struct image image = { 0 };
	struct err e = { .msg = "" };
	if (image_read_png(png, n, max_pixels, &image, &e) == 0) {
		image_free(&image);
		return false;
	}
	CHECK_MSG(strstr(e.msg, word) && !image.pixels, "\"%s\" has no \"%s\"", e.msg, word);
	return true;
}

TEST(image_every_truncation_and_every_bit_error_is_refused)
{
	static const char *const paths[] = { "tests/data/png/grey-8.png", "tests/data/png/palette-4-trns-adam7.png" };
	for (int f = 0; f < 2; f++) {
		size_t n;
		uint8_t *png = test_file(paths[f], &n);
		for (size_t cut = 0; cut < n; cut++) {
			uint8_t *exact = malloc(cut + !cut);
			memcpy(exact, png, cut);
			CHECK_MSG(refused(exact, cut, PLENTY, "PNG"), "%zu of %zu bytes", cut, n);
			free(exact);
		}
		for (size_t i = 0; i < n; i++) {
			png[i] ^= 0x10;
			CHECK_MSG(refused(png, n, PLENTY, ""), "%s: byte %zu", paths[f], i);
			png[i] ^= 0x10;
		}
		free(png);
	}
}

static size_t put_u32(uint8_t *to, size_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
	return 4;
}

static size_t put_chunk(uint8_t *to, const char *kind, const void *data, size_t n)
{
	put_u32(to, n);
	memcpy(to + 4, kind, 4);
	memcpy(to + 8, data, n);
	put_u32(to + 8 + n, crc32(0, to + 4, (unsigned)n + 4));
	return n + 12;
}

// Signature and IHDR, of a colour type.
static size_t put_header(uint8_t *to, size_t width, size_t height, int type)
{
	uint8_t ihdr[13] = { [8] = 8, [9] = (uint8_t)type };
	put_u32(ihdr, width);
	put_u32(ihdr + 4, height);
	memcpy(to, "\x89PNG\r\n\x1a\n", 8);
	return 8 + put_chunk(to + 8, "IHDR", ihdr, sizeof ihdr);
}

TEST(image_too_many_pixels_are_refused_by_the_header)
{
	uint8_t png[200];
	size_t n = put_header(png, 60000, 60000, 0);
	n += put_chunk(png + n, "IDAT", "", 0);
	CHECK(refused(png, n, 16000000, "60000×60000 pixels are more than the limit of 16000000"));
	n = put_header(png, 0x7fffffff, 0x7fffffff, 0);
	n += put_chunk(png + n, "IDAT", "", 0);
	CHECK(refused(png, n, 16000000, "limit"));
	n = put_header(png, 0x80000000, 1, 0);
	n += put_chunk(png + n, "IDAT", "", 0);
	CHECK(refused(png, n, 16000000, ""));
	n = put_header(png, 0, 5, 0);
	n += put_chunk(png + n, "IDAT", "", 0);
	CHECK(refused(png, n, 16000000, ""));

	size_t n_file;
	uint8_t *file = test_file("tests/data/png/rgb-8.png", &n_file);
	CHECK(refused(file, n_file, 13 * 11 - 1, "13×11 pixels are more than the limit of 142"));
	CHECK(!refused(file, n_file, 13 * 11, ""));
	free(file);
}

TEST(image_what_is_no_png_is_refused)
{
	CHECK(refused("", 0, PLENTY, "not a PNG"));
	CHECK(refused("\x89PNG\r\n\x1a", 7, PLENTY, "not a PNG"));
	CHECK(refused("\x89PNG\r\n\x1a\n", 8, PLENTY, "PNG"));
	CHECK(refused("\xff\xd8\xff\xe0 JFIF and more", 18, PLENTY, "not a PNG"));
	CHECK(!image_is_png("\x89PNG\n\x1a\n....", 11) && image_is_png("\x89PNG\r\n\x1a\n", 8));
}

// Chunks that libpng would inflate or keep: read, they would take a thousand times their size.
TEST(image_compressed_texts_and_profiles_cost_nothing)
{
	enum { BOMB = 4 << 20 };
	uLongf n_data = compressBound(BOMB);
	uint8_t *zeros = calloc(1, BOMB), *chunk = malloc(n_data + 16), *png = malloc(4 * n_data + 1000);
	memcpy(chunk, "icc\0", 5); // name, its end, method 0
	CHECK(compress2(chunk + 5, &n_data, zeros, BOMB, 9) == Z_OK);
	size_t n = put_header(png, 1, 1, 0);
	n += put_chunk(png + n, "iCCP", chunk, 5 + n_data);
	n += put_chunk(png + n, "zTXt", chunk, 5 + n_data);
	uint8_t data[64];
	uLongf n_pixel = sizeof data;
	compress(data, &n_pixel, (const uint8_t *)"\0\x2a", 2);
	n += put_chunk(png + n, "IDAT", data, n_pixel);
	n += put_chunk(png + n, "zTXt", chunk, 5 + n_data);
	n += put_chunk(png + n, "IEND", "", 0);
	struct image image = { 0 };
	struct err e = { .msg = "" };
	CHECK_MSG(image_read_png(png, n, PLENTY, &image, &e) == 0 && image.pixels[0] == 42, "%s", e.msg);
	image_free(&image);
	free(zeros);
	free(chunk);
	free(png);
}

TEST(image_too_little_or_too_much_data)
{
	uint8_t png[200], data[64];
	uLongf n_data = sizeof data;
	compress(data, &n_data, (const uint8_t *)"\0\x2a\0", 3); // a row and a half of two
	size_t n = put_header(png, 1, 2, 0);
	n += put_chunk(png + n, "IDAT", data, n_data);
	n += put_chunk(png + n, "IEND", "", 0);
	CHECK(refused(png, n, PLENTY, "damaged PNG"));
}

// A picture of random bytes, filtered any way: quickly, and with a text in the file, by libpng.
TEST(image_plain_pictures_are_what_libpng_makes_of_them)
{
	enum { MOST = 40 };
	static const int channels_of[] = { [0] = 1, [2] = 3, [4] = 2, [6] = 4 };
	struct rng rng;
	rng_init(&rng, 7);
	for (int i = 0; i < 400; i++) {
		int type = 2 * (int)rng_below(&rng, 4);
		uint32_t width = 1 + rng_below(&rng, MOST), height = 1 + rng_below(&rng, MOST);
		size_t row = 1 + width * (size_t)channels_of[type], n_rows = height * row;
		uint8_t rows[MOST * (1 + MOST * 4)], png[2 * sizeof rows], texted[sizeof png + 64];
		for (size_t k = 0; k < n_rows; k++)
			rows[k] = (uint8_t)(k % row ? rng_next(&rng) : rng_below(&rng, 5));
		size_t n = put_header(png, width, height, type);
		uLongf n_packed = sizeof png - 100;
		uint8_t packed[sizeof png];
		CHECK(compress(packed, &n_packed, rows, n_rows) == Z_OK);
		size_t n_texted = n;
		memcpy(texted, png, n);
		n_texted += put_chunk(texted + n_texted, "tEXt", "a\0b", 3);
		n_texted += put_chunk(texted + n_texted, "IDAT", packed, n_packed);
		n_texted += put_chunk(texted + n_texted, "IEND", "", 0);
		n += put_chunk(png + n, "IDAT", packed, n_packed);
		n += put_chunk(png + n, "IEND", "", 0);

		struct plain_png plain;
		CHECK(!plain_png_read(texted, n_texted, PLENTY, &plain));
		CHECK(!plain_png_read(png, n, (size_t)width * height - 1, &plain));
		CHECK_MSG(plain_png_read(png, n, (size_t)width * height, &plain), "type %d, %u×%u", type, width, height);
		free(plain.samples);
		struct image quick = { 0 }, slow = { 0 };
		struct err e;
		CHECK(image_read_png(png, n, PLENTY, &quick, &e) == IMAGE_OK &&
		      image_read_png(texted, n_texted, PLENTY, &slow, &e) == IMAGE_OK);
		CHECK(quick.width == slow.width && quick.height == slow.height);
		CHECK_MSG(memcmp(quick.pixels, slow.pixels, (size_t)width * height) == 0, "type %d, %u×%u", type, width, height);
		image_free(&quick);
		image_free(&slow);
	}
}

TEST(image_writes_what_it_reads)
{
	static const int sizes[][2] = { { 1, 1 }, { 28, 28 }, { 3, 200 } };
	for (int s = 0; s < 3; s++) {
		struct image image = { sizes[s][0], sizes[s][1], NULL }, back = { 0 };
		size_t n_pixels = (size_t)(image.width * image.height), n;
		image.pixels = malloc(n_pixels);
		for (size_t i = 0; i < n_pixels; i++)
			image.pixels[i] = (uint8_t)(i * i * 31 >> 2);
		uint8_t *png;
		struct err e = { .msg = "" };
		CHECK(image_write_png(&image, &png, &n, &e) == 0 && image_is_png(png, n));
		CHECK(image_read_png(png, n, n_pixels, &back, &e) == 0);
		CHECK(back.width == image.width && back.height == image.height && memcmp(back.pixels, image.pixels, n_pixels) == 0);
		image_free(&back);
		image_free(&image);
		free(png);
	}
	struct image huge = { 1 << 15, 1 << 15, NULL };
	uint8_t *png;
	size_t n;
	struct err e;
	CHECK(image_write_png(&huge, &png, &n, &e) == -1);
}
