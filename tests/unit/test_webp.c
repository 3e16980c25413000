#include "core/picture/webp.h"

#include "core/clock.h"
#include "tests/unit/pictures.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

static const struct picture_limits plenty = PICTURE_LIMITS;

// RGBA; transparent on the left unless opaque.
static uint8_t *make_slopes(int width, int height, bool opaque)
{
	uint8_t *rgba = malloc((size_t)(width * height * 4)), *at = rgba;
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++) {
			*at++ = (uint8_t)(40 + 150 * x / width);
			*at++ = (uint8_t)(50 + 150 * x / width);
			*at++ = (uint8_t)(60 + 150 * x / width);
			*at++ = opaque || x >= width / 2 ? 255 : 0;
		}
	return rgba;
}

static enum picture_result read_it(const void *bytes, size_t n, const struct picture_limits *limits, struct picture *p,
				   const char *word)
{
	struct err e = { .msg = "" };
	*p = (struct picture){ 0 };
	enum picture_result result = webp_decode(bytes, n, limits, p, &e);
	CHECK_MSG(strstr(e.msg, word) && (result == PICTURE_OK) == (p->luma != NULL), "\"%s\" has no \"%s\"", e.msg, word);
	return result;
}

static bool refused(const void *bytes, size_t n, const struct picture_limits *limits, enum picture_result want, const char *word)
{
	struct picture p;
	enum picture_result result = read_it(bytes, n, limits, &p, word);
	picture_free(&p);
	return result == want;
}

static double luma_of(const uint8_t *rgba, int width, int height, int scale, int column, int row)
{
	double sum = 0;
	int n = 0;
	for (int y = row * scale; y < (row + 1) * scale && y < height; y++)
		for (int x = column * scale; x < (column + 1) * scale && x < width; x++, n++) {
			const uint8_t *at = rgba + 4 * (y * width + x);
			sum += at[3] ? 0.299 * at[0] + 0.587 * at[1] + 0.114 * at[2] : 0;
		}
	return sum / n;
}

TEST(webp_lossy_and_lossless_are_read_and_scaled)
{
	enum { WIDTH = 160, HEIGHT = 96 };
	for (int way = 0; way < 4; way++)
		for (int scale = 1; scale <= 8; scale *= 2) {
			bool lossless = way & 1, opaque = way & 2;
			uint8_t *rgba = make_slopes(WIDTH, HEIGHT, opaque);
			struct file file = pictures_webp(rgba, WIDTH, HEIGHT, lossless, 0);
			struct picture_limits limits = plenty;
			struct picture p;
			limits.looked_at = WIDTH * HEIGHT / (size_t)(scale * scale);
			CHECK(read_it(file.bytes, file.n, &limits, &p, "") == PICTURE_OK);
			CHECK(p.width == WIDTH / scale && p.height == HEIGHT / scale && p.sent_width == WIDTH && p.cb);
			for (int i = 0; i < p.width * p.height; i++) {
				double off = p.luma[i] - luma_of(rgba, WIDTH, HEIGHT, scale, i % p.width, i / p.width);
				CHECK_MSG(off <= 3 && off >= -3, "way %d, 1/%d, %d,%d: %d is off by %.1f", way, scale, i % p.width,
					  i / p.width, p.luma[i], off);
			}
			picture_free(&p);
			free(file.bytes);
			free(rgba);
		}
}

TEST(webp_orientation_is_followed)
{
	uint8_t *rgba = make_slopes(32, 16, true);
	for (int o = 1; o <= 8; o++) {
		struct file file = pictures_webp(rgba, 32, 16, true, o);
		struct picture p;
		CHECK(read_it(file.bytes, file.n, &plenty, &p, "") == PICTURE_OK);
		bool sideways = o > 4, dark_is_last = o == 2 || o == 3 || o == 7 || o == 8;
		CHECK(p.width == (sideways ? 16 : 32) && p.sent_width == p.width && p.sent_height == p.height);
		int first = p.luma[0], last = p.luma[sideways ? (p.height - 1) * p.width : p.width - 1];
		CHECK_MSG((first > last) == dark_is_last, "orientation %d: from %d to %d", o, first, last);
		picture_free(&p);
		free(file.bytes);
	}
	free(rgba);
}

TEST(webp_limits_are_by_the_header)
{
	uint8_t *rgba = make_slopes(100, 80, true);
	struct file file = pictures_webp(rgba, 100, 80, false, 0);
	struct picture_limits limits = plenty;
	limits.max_pixels = 7999;
	CHECK(refused(file.bytes, file.n, &limits, PICTURE_TOO_LARGE, "100×80 pixels are more than the limit of 7999"));
	limits.max_pixels = 8000;
	limits.max_whole_pixels = 7999;
	CHECK(refused(file.bytes, file.n, &limits, PICTURE_TOO_LARGE, "limit of 7999 for a WebP"));
	limits.max_whole_pixels = 8000;
	CHECK(refused(file.bytes, file.n, &limits, PICTURE_OK, ""));
	limits.deadline_ns = clock_now_ns() - 1;
	CHECK(refused(file.bytes, file.n, &limits, PICTURE_LATE, "in time"));
	free(file.bytes);
	free(rgba);
}

TEST(webp_decoding_stops_at_the_deadline)
{
	uint8_t *rgba = make_slopes(1500, 1500, true);
	for (int i = 0; i < 1500 * 1500; i++)
		rgba[4 * i] = (uint8_t)((unsigned)i * 7919 >> 5); // so that it takes its time
	for (int lossless = 0; lossless < 2; lossless++) {
		struct file file = pictures_webp(rgba, 1500, 1500, lossless, 0);
		struct picture_limits limits = plenty;
		int64_t began = clock_now_ns();
		CHECK(refused(file.bytes, file.n, &limits, PICTURE_OK, ""));
		int64_t took = clock_now_ns() - began;
		limits.deadline_ns = clock_now_ns() + took / 8;
		CHECK(refused(file.bytes, file.n, &limits, PICTURE_LATE, "in time"));
		free(file.bytes);
	}
	free(rgba);
}

static void check_cut(const uint8_t *bytes, size_t n)
{
	bool begun = n >= 12; // enough to be known by
	CHECK_MSG(refused(bytes, n, &plenty, begun ? PICTURE_DAMAGED : PICTURE_UNKNOWN, begun ? "damaged" : "not a WebP"),
		  "%zu bytes", n);
}

static void check_flipped(const uint8_t *bytes, size_t n)
{
	struct picture_limits few = plenty;
	few.max_pixels = few.max_whole_pixels = 1 << 20;
	refused(bytes, n, &few, PICTURE_OK, "");
}

TEST(webp_every_truncation_is_refused_and_no_bit_error_does_harm)
{
	uint8_t *rgba = make_slopes(40, 24, false);
	for (int lossless = 0; lossless < 2; lossless++) {
		struct file file = pictures_webp(rgba, 40, 24, lossless, 6);
		pictures_damage(&file, file.n - 1, check_cut, check_flipped); // the last byte may be padding
		free(file.bytes);
	}
	free(rgba);
}

TEST(webp_animations_are_refused)
{
	static const uint8_t animated[] = "RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\2\0\0\0\x1b\0\0\x1b\0\0";
	CHECK(refused(animated, sizeof animated - 1, &plenty, PICTURE_UNKNOWN, "animated WebP"));
}
