#include "core/picture/png.h"

#include "core/clock.h"
#include "core/picture/plain_png.h"
#include "core/rng.h"
#include "tests/unit/pictures.h"
#include "tests/unit/test.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const struct picture_limits plenty = PICTURE_LIMITS;

// tests/data/png: every colour type, depth and interlacing, with and without tRNS; what they show is from make.py.
TEST(png_reads_every_kind_of_png)
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
		struct picture p = { 0 };
		struct err e = { .msg = "" };
		int rc = png_decode(png, n, &plenty, &p, &e);
		CHECK_MSG(rc == 0, "%s: %s", files.gl_pathv[f], e.msg);
		CHECK(p.width == WIDTH && p.height == HEIGHT);
		for (int i = 0; rc == 0 && i < WIDTH * HEIGHT; i++) {
			uint8_t want = expected[f * WIDTH * HEIGHT + (size_t)i];
			CHECK_MSG(p.luma[i] == want, "%s: pixel %d,%d is %d, want %d", files.gl_pathv[f], i % WIDTH, i / WIDTH,
				  p.luma[i], want);
		}
		picture_free(&p);
		free(png);
	}
	globfree(&files);
	free(expected);
}

static bool refused(const void *png, size_t n, size_t max_pixels, const char *word)
{
	struct picture_limits limits = plenty;
	limits.max_pixels = max_pixels;
	struct picture p = { 0 };
	struct err e = { .msg = "" };
	if (png_decode(png, n, &limits, &p, &e) == PICTURE_OK) {
		picture_free(&p);
		return false;
	}
	CHECK_MSG(strstr(e.msg, word) && !p.luma, "\"%s\" has no \"%s\"", e.msg, word);
	return true;
}

TEST(png_every_truncation_and_every_bit_error_is_refused)
{
	static const char *const paths[] = { "tests/data/png/grey-8.png", "tests/data/png/palette-4-trns-adam7.png" };
	for (int f = 0; f < 2; f++) {
		size_t n;
		uint8_t *png = test_file(paths[f], &n);
		for (size_t cut = 0; cut < n; cut++) {
			uint8_t *exact = malloc(cut + !cut);
			memcpy(exact, png, cut);
			CHECK_MSG(refused(exact, cut, plenty.max_pixels, "PNG"), "%zu of %zu bytes", cut, n);
			free(exact);
		}
		for (size_t i = 0; i < n; i++) {
			png[i] ^= 0x10;
			CHECK_MSG(refused(png, n, plenty.max_pixels, ""), "%s: byte %zu", paths[f], i);
			png[i] ^= 0x10;
		}
		free(png);
	}
}

TEST(png_too_many_pixels_are_refused_by_the_header)
{
	uint8_t png[200];
	size_t n = pictures_put_header(png, 60000, 60000, 8, 0, 0);
	n += pictures_put_chunk(png + n, "IDAT", "", 0);
	CHECK(refused(png, n, 16000000, "60000×60000 pixels are more than the limit of 16000000"));
	n = pictures_put_header(png, 0x7fffffff, 0x7fffffff, 8, 0, 0);
	n += pictures_put_chunk(png + n, "IDAT", "", 0);
	CHECK(refused(png, n, 16000000, "limit"));
	n = pictures_put_header(png, 0x80000000, 1, 8, 0, 0);
	n += pictures_put_chunk(png + n, "IDAT", "", 0);
	CHECK(refused(png, n, 16000000, ""));
	n = pictures_put_header(png, 0, 5, 8, 0, 0);
	n += pictures_put_chunk(png + n, "IDAT", "", 0);
	CHECK(refused(png, n, 16000000, ""));

	size_t n_file;
	uint8_t *file = test_file("tests/data/png/rgb-8.png", &n_file);
	CHECK(refused(file, n_file, 13 * 11 - 1, "13×11 pixels are more than the limit of 142"));
	CHECK(!refused(file, n_file, 13 * 11, ""));
	free(file);
}

// Chunks that libpng would inflate or keep: read, they would take a thousand times their size.
TEST(png_compressed_texts_and_profiles_cost_nothing)
{
	enum { BOMB = 4 << 20 };
	uLongf n_data = compressBound(BOMB);
	uint8_t *zeros = calloc(1, BOMB), *chunk = malloc(n_data + 16), *png = malloc(4 * n_data + 1000);
	memcpy(chunk, "icc\0", 5); // name, its end, method 0
	CHECK(compress2(chunk + 5, &n_data, zeros, BOMB, 9) == Z_OK);
	size_t n = pictures_put_header(png, 1, 1, 8, 0, 0);
	n += pictures_put_chunk(png + n, "iCCP", chunk, 5 + n_data);
	n += pictures_put_chunk(png + n, "zTXt", chunk, 5 + n_data);
	uint8_t data[64];
	uLongf n_pixel = sizeof data;
	compress(data, &n_pixel, (const uint8_t *)"\0\x2a", 2);
	n += pictures_put_chunk(png + n, "IDAT", data, n_pixel);
	n += pictures_put_chunk(png + n, "zTXt", chunk, 5 + n_data);
	n += pictures_put_chunk(png + n, "IEND", "", 0);
	struct picture p = { 0 };
	struct err e = { .msg = "" };
	CHECK_MSG(png_decode(png, n, &plenty, &p, &e) == 0 && p.luma[0] == 42, "%s", e.msg);
	picture_free(&p);
	free(zeros);
	free(chunk);
	free(png);
}

TEST(png_too_little_or_too_much_data)
{
	uint8_t png[200], data[64];
	uLongf n_data = sizeof data;
	compress(data, &n_data, (const uint8_t *)"\0\x2a\0", 3); // a row and a half of two
	size_t n = pictures_put_header(png, 1, 2, 8, 0, 0);
	n += pictures_put_chunk(png + n, "IDAT", data, n_data);
	n += pictures_put_chunk(png + n, "IEND", "", 0);
	CHECK(refused(png, n, plenty.max_pixels, "damaged PNG"));
}

// A picture of random bytes, filtered any way: quickly, and with a text in the file, by libpng.
TEST(png_plain_pictures_are_what_libpng_makes_of_them)
{
	enum { MOST = 40 };
	static const int channels_of[] = { [0] = 1, [2] = 3, [4] = 2, [6] = 4 };
	struct rng rng;
	rng_init(&rng, 7);
	for (int i = 0; i < 500; i++) {
		int type = 2 * (int)rng_below(&rng, 4);
		uint32_t width = 1 + rng_below(&rng, MOST), height = 1 + rng_below(&rng, MOST);
		size_t row = 1 + width * (size_t)channels_of[type], n_rows = height * row;
		uint8_t rows[MOST * (1 + MOST * 4)], png[2 * sizeof rows], texted[sizeof png + 64];
		for (size_t k = 0; k < n_rows; k++)
			rows[k] = (uint8_t)(k % row ? rng_next(&rng) : rng_below(&rng, 5));
		for (size_t k = 0; type == 6 && i % 3 && k < n_rows; k++) // as of a canvas: grey, and opaque or not; unfiltered
			if (k % row == 0)
				rows[k] = 0;
			else if (k % row % 4 == 0)
				rows[k] = i % 3 == 1 ? 255 : rows[k];
			else if (k % row % 4 > 1)
				rows[k] = rows[k - 1];
		size_t n = pictures_put_header(png, width, height, 8, type, 0);
		uLongf n_packed = sizeof png - 100;
		uint8_t packed[sizeof png];
		CHECK(compress(packed, &n_packed, rows, n_rows) == Z_OK);
		size_t n_texted = n;
		memcpy(texted, png, n);
		n_texted += pictures_put_chunk(texted + n_texted, "tEXt", "a\0b", 3);
		n_texted += pictures_put_chunk(texted + n_texted, "IDAT", packed, n_packed);
		n_texted += pictures_put_chunk(texted + n_texted, "IEND", "", 0);
		size_t n_first = i % 2 ? n_packed : rng_below(&rng, (uint32_t)n_packed); // in one chunk, or in three
		n += pictures_put_chunk(png + n, "IDAT", packed, n_first);
		if (n_first < n_packed) {
			n += pictures_put_chunk(png + n, "IDAT", packed + n_first, 1);
			n += pictures_put_chunk(png + n, "IDAT", packed + n_first + 1, n_packed - n_first - 1);
		}
		n += pictures_put_chunk(png + n, "IEND", "", 0);

		struct plain_png plain;
		CHECK(!plain_png_read(texted, n_texted, plenty.max_pixels, &plain));
		CHECK(!plain_png_read(png, n, (size_t)width * height - 1, &plain));
		CHECK_MSG(plain_png_read(png, n, (size_t)width * height, &plain), "type %d, %u×%u", type, width, height);
		free(plain.samples);
		struct picture quick = { 0 }, slow = { 0 };
		struct err e;
		CHECK(png_decode(png, n, &plenty, &quick, &e) == PICTURE_OK &&
		      png_decode(texted, n_texted, &plenty, &slow, &e) == PICTURE_OK);
		CHECK(quick.width == slow.width && quick.height == slow.height && !quick.cb == !slow.cb);
		CHECK_MSG(memcmp(quick.luma, slow.luma, (size_t)width * height * (quick.cb ? 3 : 1)) == 0, "type %d, %u×%u", type,
			  width, height);
		picture_free(&quick);
		picture_free(&slow);
	}
}

TEST(png_writes_what_it_reads)
{
	static const int sizes[][2] = { { 1, 1 }, { 28, 28 }, { 3, 200 } };
	for (int s = 0; s < 3; s++) {
		struct image image = { sizes[s][0], sizes[s][1], NULL };
		size_t n_pixels = (size_t)(image.width * image.height), n;
		image.pixels = malloc(n_pixels);
		for (size_t i = 0; i < n_pixels; i++)
			image.pixels[i] = (uint8_t)(i * i * 31 >> 2);
		uint8_t *png;
		struct picture back = { 0 };
		struct err e = { .msg = "" };
		CHECK(png_encode(&image, &png, &n, &e) == 0);
		CHECK(png_decode(png, n, &plenty, &back, &e) == PICTURE_OK);
		CHECK(back.width == image.width && back.height == image.height && memcmp(back.luma, image.pixels, n_pixels) == 0);
		picture_free(&back);
		free(image.pixels);
		free(png);
	}
	struct image huge = { 1 << 15, 1 << 15, NULL };
	uint8_t *png;
	size_t n;
	struct err e;
	CHECK(png_encode(&huge, &png, &n, &e) == -1);
}

// A stream that goes on behind the last row: inflated, it would take seconds. In one chunk and in many.
TEST(png_an_endless_stream_is_read_to_the_last_row)
{
	enum { TOTAL = 1 << 28, STEP = 1 << 20, PIECE = 8192 };
	uint8_t *zeros = calloc(1, STEP), *packed = malloc(1 << 20), *png = malloc(1 << 20);
	z_stream z = { .next_out = packed, .avail_out = 1 << 20 };
	deflateInit(&z, 9);
	for (int i = 0; i < TOTAL / STEP; i++) {
		z.next_in = zeros;
		z.avail_in = STEP;
		CHECK(deflate(&z, i + 1 < TOTAL / STEP ? Z_NO_FLUSH : Z_FINISH) >= Z_OK);
	}
	for (int in_pieces = 0; in_pieces < 2; in_pieces++) {
		size_t n = pictures_put_header(png, 28, 28, 8, 0, 0), piece = in_pieces ? PIECE : z.total_out;
		for (size_t at = 0; at < z.total_out; at += piece)
			n += pictures_put_chunk(png + n, "IDAT", packed + at, z.total_out - at < piece ? z.total_out - at : piece);
		n += pictures_put_chunk(png + n, "IEND", "", 0);
		struct picture p = { 0 };
		struct err e = { .msg = "" };
		int64_t began = clock_now_ns();
		CHECK_MSG(png_decode(png, n, &plenty, &p, &e) == PICTURE_OK && p.width == 28, "%s", e.msg);
		int64_t took_us = (clock_now_ns() - began) / 1000;
		test_figure("%zu bytes whose stream goes on for %d MB behind 28×28: %lld us", n, TOTAL >> 20, (long long)took_us);
		CHECK_MSG(took_us < 100000, "%lld us", (long long)took_us);
		picture_free(&p);
	}
	deflateEnd(&z);
	free(zeros);
	free(packed);
	free(png);
}

// Rows of Adam7 in the order of the file, from a whole picture of one byte a pixel.
static struct file make_interlaced(const uint8_t *pixels, int width, int height)
{
	static const int passes[7][4] = { { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 },
					  { 0, 2, 2, 4 }, { 1, 0, 2, 2 }, { 0, 1, 1, 2 } };
	uint8_t *rows = malloc((size_t)(2 * width * height + 8 * height)), *at = rows;
	for (int p = 0; p < 7; p++)
		for (int y = passes[p][1]; passes[p][0] < width && y < height; y += passes[p][3]) {
			*at++ = 0;
			for (int x = passes[p][0]; x < width; x += passes[p][2])
				*at++ = pixels[y * width + x];
		}
	struct file file = pictures_png_of_rows(rows, (size_t)(at - rows), width, height, 8, 0, 1);
	free(rows);
	return file;
}

TEST(png_large_pictures_are_means_interlaced_or_not)
{
	enum { MOST = 90 };
	struct rng rng;
	rng_init(&rng, 9);
	for (int round = 0; round < 60; round++) {
		int width = 1 + (int)rng_below(&rng, MOST), height = 1 + (int)rng_below(&rng, MOST), factor = 1 + round % 7;
		uint8_t pixels[MOST * MOST];
		for (int i = 0; i < width * height; i++)
			pixels[i] = (uint8_t)rng_next(&rng);
		struct picture_limits limits = plenty;
		limits.looked_at = (size_t)((width + factor - 1) / factor) * (size_t)((height + factor - 1) / factor);
		struct file files[] = { pictures_png(pixels, width, height, 1, 0), pictures_png(pixels, width, height, 1, 1),
					make_interlaced(pixels, width, height) };
		for (int f = 0; f < 3; f++) {
			struct picture p = { 0 };
			struct err e = { .msg = "" };
			CHECK_MSG(png_decode(files[f].bytes, files[f].n, &limits, &p, &e) == PICTURE_OK, "%s", e.msg);
			for (int i = 0; i < p.width * p.height; i++) {
				int sum = 0, n = 0, least = (width + p.width - 1) / p.width;
				for (int y = i / p.width * least; y < (i / p.width + 1) * least && y < height; y++)
					for (int x = i % p.width * least; x < (i % p.width + 1) * least && x < width; x++, n++)
						sum += pixels[y * width + x];
				if ((height + least - 1) / least != p.height)
					break; // the factor is not to be had from the width alone
				CHECK_MSG(p.luma[i] == (sum + n / 2) / n, "file %d, %d×%d to %d×%d, pixel %d", f, width, height,
					  p.width, p.height, i);
			}
			picture_free(&p);
			free(files[f].bytes);
		}
	}
}

TEST(png_colour_and_orientation)
{
	uint8_t rgb[8 * 4 * 3], *at = rgb;
	for (int i = 0; i < 32; i++) { // red to the left, blue to the right
		*at++ = i % 8 < 4 ? 255 : 0;
		*at++ = 0;
		*at++ = i % 8 < 4 ? 0 : 255;
	}
	for (int o = 0; o <= 8; o++) {
		struct file file = pictures_png(rgb, 8, 4, 3, o);
		struct picture p = { 0 };
		struct err e = { .msg = "" };
		CHECK_MSG(png_decode(file.bytes, file.n, &plenty, &p, &e) == PICTURE_OK, "%s", e.msg);
		CHECK(p.width == (o > 4 ? 4 : 8) && p.height == (o > 4 ? 8 : 4) && p.sent_width == p.width);
		bool red_is_last = o == 2 || o == 3 || o == 7 || o == 8;
		int red = red_is_last ? p.width * p.height - 1 : 0, blue = p.width * p.height - 1 - red;
		CHECK_MSG(p.cr[red] == 255 && p.cb[red] == 85 && p.cb[blue] == 255 && p.cr[blue] == 107 && p.luma[red] == 54 &&
				  p.luma[blue] == 18,
			  "orientation %d: red is %d %d %d, blue %d %d %d", o, p.luma[red], p.cb[red], p.cr[red], p.luma[blue],
			  p.cb[blue], p.cr[blue]);
		picture_free(&p);
		free(file.bytes);
	}
}

TEST(png_decoding_stops_at_the_deadline)
{
	enum { SIDE = 2000 };
	uint8_t *pixels = calloc(SIDE, SIDE);
	struct file files[] = { pictures_png(pixels, SIDE, SIDE, 1, 0), make_interlaced(pixels, SIDE, SIDE) };
	for (int f = 0; f < 2; f++) {
		struct picture_limits limits = plenty;
		struct picture p = { 0 };
		struct err e = { .msg = "" };
		limits.deadline_ns = clock_now_ns() + 1000000;
		CHECK(png_decode(files[f].bytes, files[f].n, &limits, &p, &e) == PICTURE_LATE && strstr(e.msg, "in time"));
		limits.deadline_ns = clock_now_ns() + 60000000000;
		CHECK(png_decode(files[f].bytes, files[f].n, &limits, &p, &e) == PICTURE_OK);
		picture_free(&p);
		free(files[f].bytes);
	}
	free(pixels);
}

TEST(png_a_very_long_row_is_refused)
{
	uint8_t png[100];
	size_t n = pictures_put_header(png, 65536, 1, 16, 6, 0);
	CHECK(refused(png, n, plenty.max_pixels, "65536×1 pixels: a side of more than 65535 is not read"));
}
