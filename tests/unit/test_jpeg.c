#include "core/picture/jpeg.h"

#include "core/clock.h"
#include "core/rng.h"
#include "tests/unit/pictures.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

static const struct picture_limits plenty = PICTURE_LIMITS;

// A smooth picture, which any quality keeps: (height, width, channels), each channel a slope of its own.
static uint8_t *make_slopes(int width, int height, int channels)
{
	uint8_t *samples = malloc((size_t)(width * height * channels));
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++)
			for (int c = 0; c < channels; c++)
				samples[(y * width + x) * channels + c] =
					(uint8_t)(40 + 150 * (c % 2 ? y : x) / (c % 2 ? height : width) + 20 * c);
	return samples;
}

static struct picture read_it(const struct file *file, const struct picture_limits *limits)
{
	struct picture p = { 0 };
	struct err e = { .msg = "" };
	enum picture_result result = jpeg_decode(file->bytes, file->n, limits, &p, &e);
	CHECK_MSG(result == PICTURE_OK, "%s", e.msg);
	return p;
}

static bool refused(const void *bytes, size_t n, const struct picture_limits *limits, enum picture_result want, const char *word)
{
	struct picture p = { 0 };
	struct err e = { .msg = "" };
	enum picture_result result = jpeg_decode(bytes, n, limits, &p, &e);
	CHECK_MSG(result == PICTURE_OK || (strstr(e.msg, word) && !p.luma), "\"%s\" has no \"%s\"", e.msg, word);
	picture_free(&p);
	return result == want;
}

// What the samples are, by floating point.
struct ycc {
	double y, cb, cr;
};

static struct ycc ycc_of(const uint8_t *s, int channels)
{
	double r = s[0], g = channels > 1 ? s[1] : s[0], b = channels > 1 ? s[2] : s[0];
	if (channels == 4) { // inverted CMYK
		r *= s[3] / 255.0;
		g *= s[3] / 255.0;
		b *= s[3] / 255.0;
	}
	double y = 0.299 * r + 0.587 * g + 0.114 * b;
	return (struct ycc){ y, 128 + (b - y) / 1.772, 128 + (r - y) / 1.402 };
}

// As ycc_of, of the mean of a box.
static struct ycc mean_of(const uint8_t *samples, int width, int height, int channels, int scale, int column, int row)
{
	struct ycc mean = { 0 };
	int n = 0;
	for (int y = row * scale; y < (row + 1) * scale && y < height; y++)
		for (int x = column * scale; x < (column + 1) * scale && x < width; x++, n++) {
			struct ycc one = ycc_of(samples + (y * width + x) * channels, channels);
			mean.y += one.y;
			mean.cb += one.cb;
			mean.cr += one.cr;
		}
	return (struct ycc){ mean.y / n, mean.cb / n, mean.cr / n };
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

// The largest differences, of luma and of chroma.
static void compare(const struct picture *p, const uint8_t *samples, int channels, int scale, double *luma, double *chroma)
{
	*luma = *chroma = 0;
	for (int i = 0; i < p->width * p->height; i++) {
		struct ycc want = mean_of(samples, p->sent_width, p->sent_height, channels, scale, i % p->width, i / p->width);
		*luma = larger(*luma, larger(p->luma[i] - want.y, want.y - p->luma[i]));
		if (p->cb)
			*chroma = larger(*chroma, larger(larger(p->cb[i] - want.cb, want.cb - p->cb[i]),
							 larger(p->cr[i] - want.cr, want.cr - p->cr[i])));
	}
}

static const struct {
	const char *name;
	enum pictures_colours colours;
	int channels;
} kinds[] = { { "grey", JPEG_GREY, 1 },
	      { "YCbCr", JPEG_YCC, 3 },
	      { "RGB", JPEG_RGB, 3 },
	      { "CMYK", JPEG_CMYK, 4 },
	      { "YCCK", JPEG_YCCK, 4 } };

TEST(jpeg_every_kind_is_read)
{
	enum { WIDTH = 83, HEIGHT = 61 };
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		for (int way = 0; way < 4; way++) {
			struct pictures_jpeg how = { kinds[k].colours, 98, way & 1, way & 2, 0, false, 0 };
			uint8_t *samples = make_slopes(WIDTH, HEIGHT, kinds[k].channels);
			struct file file = pictures_jpeg(samples, WIDTH, HEIGHT, &how);
			struct picture p = read_it(&file, &plenty);
			double luma, chroma;
			CHECK(p.width == WIDTH && p.height == HEIGHT && p.sent_width == WIDTH && !p.cb == (kinds[k].channels == 1));
			compare(&p, samples, kinds[k].channels, 1, &luma, &chroma);
			double most = how.halved_chroma && how.colours != JPEG_GREY && how.colours != JPEG_YCC ? 6 : 3;
			CHECK_MSG(luma <= most && chroma <= 6, "%s, way %d: off by %.1f and %.1f", kinds[k].name, way, luma,
				  chroma);
			picture_free(&p);
			free(file.bytes);
			free(samples);
		}
}

TEST(jpeg_cmyk_without_adobe_is_not_inverted)
{
	uint8_t *samples = make_slopes(40, 30, 4), *inverted = malloc(40 * 30 * 4);
	for (int i = 0; i < 40 * 30 * 4; i++)
		inverted[i] = (uint8_t)(255 - samples[i]);
	struct file file = pictures_jpeg(inverted, 40, 30, &(struct pictures_jpeg){ JPEG_CMYK, 98, .without_adobe = true });
	struct picture p = read_it(&file, &plenty);
	double luma, chroma;
	compare(&p, samples, 4, 1, &luma, &chroma);
	CHECK_MSG(luma <= 3, "off by %.1f", luma);
	picture_free(&p);
	free(file.bytes);
	free(samples);
	free(inverted);
}

TEST(jpeg_large_pictures_are_scaled)
{
	static const struct {
		size_t looked_at;
		int scale;
	} cases[] = { { 320 * 200, 1 }, { 160 * 100, 2 }, { 80 * 50, 4 }, { 40 * 25, 8 }, { 20 * 13, 16 }, { 14 * 9, 24 } };
	uint8_t *samples = make_slopes(320, 200, 3);
	for (int progressive = 0; progressive < 2; progressive++) {
		struct file file =
			pictures_jpeg(samples, 320, 200,
				      &(struct pictures_jpeg){ JPEG_YCC, 98, .halved_chroma = true, .progressive = progressive });
		for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			struct picture_limits limits = plenty;
			limits.looked_at = cases[i].looked_at;
			struct picture p = read_it(&file, &limits);
			double luma, chroma;
			CHECK_MSG(p.width == (320 + cases[i].scale - 1) / cases[i].scale, "%d wide at 1/%d", p.width,
				  cases[i].scale);
			CHECK(p.sent_width == 320 && p.sent_height == 200);
			compare(&p, samples, 3, cases[i].scale, &luma, &chroma);
			CHECK_MSG(luma <= 2 && chroma <= 3, "1/%d: off by %.1f and %.1f", cases[i].scale, luma, chroma);
			picture_free(&p);
		}
		free(file.bytes);
	}
	free(samples);
}

// The mean of a block is one of its coefficients: 1/8 is exact for any picture.
TEST(jpeg_an_eighth_is_the_mean_of_the_full_picture)
{
	enum { WIDTH = 256, HEIGHT = 160 };
	struct rng rng;
	rng_init(&rng, 11);
	uint8_t *samples = malloc(WIDTH * HEIGHT);
	for (int i = 0; i < WIDTH * HEIGHT; i++)
		samples[i] = (uint8_t)(64 + rng_below(&rng, 128));
	struct file file = pictures_jpeg(samples, WIDTH, HEIGHT, &(struct pictures_jpeg){ .quality = 90 });
	struct picture full = read_it(&file, &plenty);
	for (int scale = 8; scale <= 16; scale += 8) {
		struct picture_limits limits = plenty;
		limits.looked_at = (size_t)(WIDTH / scale * HEIGHT / scale);
		struct picture p = read_it(&file, &limits);
		double luma, chroma;
		compare(&p, full.luma, 1, scale, &luma, &chroma);
		CHECK_MSG(luma <= 2, "1/%d: off by %.1f", scale, luma);
		picture_free(&p);
	}
	picture_free(&full);
	free(file.bytes);
	free(samples);
}

TEST(jpeg_orientation_is_followed)
{
	enum { WIDTH = 32, HEIGHT = 16 };
	uint8_t *samples = make_slopes(WIDTH, HEIGHT, 1);
	for (int o = 1; o <= 8; o++) {
		struct file file =
			pictures_jpeg(samples, WIDTH, HEIGHT, &(struct pictures_jpeg){ JPEG_GREY, 98, .orientation = o });
		struct picture p = read_it(&file, &plenty);
		bool sideways = o > 4, dark_is_last = o == 2 || o == 3 || o == 7 || o == 8;
		CHECK(p.width == (sideways ? HEIGHT : WIDTH) && p.sent_width == p.width && p.sent_height == p.height);
		int first = p.luma[0], last = p.luma[sideways ? (p.height - 1) * p.width : p.width - 1];
		CHECK_MSG((first > last) == dark_is_last, "orientation %d: from %d to %d", o, first, last);
		picture_free(&p);
		free(file.bytes);
	}
	free(samples);
}

TEST(jpeg_limits_are_by_the_header)
{
	uint8_t *samples = make_slopes(100, 80, 1);
	struct file baseline = pictures_jpeg(samples, 100, 80, &(struct pictures_jpeg){ .quality = 80 });
	struct file progressive = pictures_jpeg(samples, 100, 80, &(struct pictures_jpeg){ JPEG_GREY, 80, .progressive = true });
	struct picture_limits limits = plenty;
	limits.max_pixels = 7999;
	CHECK(refused(baseline.bytes, baseline.n, &limits, PICTURE_TOO_LARGE, "100×80 pixels are more than the limit of 7999"));
	limits.max_pixels = 8000;
	limits.max_whole_pixels = 7999;
	CHECK(refused(baseline.bytes, baseline.n, &limits, PICTURE_OK, ""));
	CHECK(refused(progressive.bytes, progressive.n, &limits, PICTURE_TOO_LARGE, "limit of 7999 for a progressive JPEG"));
	limits.max_whole_pixels = 8000;
	CHECK(refused(progressive.bytes, progressive.n, &limits, PICTURE_OK, ""));
	free(baseline.bytes);
	free(progressive.bytes);
	free(samples);
}

TEST(jpeg_scans_are_counted)
{
	uint8_t *samples = make_slopes(64, 64, 1);
	struct file file =
		pictures_jpeg(samples, 64, 64, &(struct pictures_jpeg){ JPEG_GREY, 80, .progressive = true, .ac_scans = 40 });
	struct picture_limits limits = plenty;
	CHECK(refused(file.bytes, file.n, &limits, PICTURE_TOO_LARGE, "more than 32 scans"));
	limits.max_scans = 40;
	CHECK(refused(file.bytes, file.n, &limits, PICTURE_TOO_LARGE, "more than 40 scans"));
	limits.max_scans = 41;
	CHECK(refused(file.bytes, file.n, &limits, PICTURE_OK, ""));
	free(file.bytes);
	free(samples);
}

TEST(jpeg_decoding_stops_at_the_deadline)
{
	uint8_t *samples = make_slopes(1500, 1500, 3);
	for (int progressive = 0; progressive < 2; progressive++) {
		struct file file =
			pictures_jpeg(samples, 1500, 1500, &(struct pictures_jpeg){ JPEG_YCC, 95, .progressive = progressive });
		struct picture_limits limits = plenty;
		limits.deadline_ns = clock_now_ns() + 1000000;
		CHECK(refused(file.bytes, file.n, &limits, PICTURE_LATE, "in time"));
		limits.deadline_ns = clock_now_ns() + 60000000000;
		CHECK(refused(file.bytes, file.n, &limits, PICTURE_OK, ""));
		free(file.bytes);
	}
	free(samples);
}

static void check_cut(const uint8_t *bytes, size_t n)
{
	CHECK_MSG(refused(bytes, n, &plenty, PICTURE_DAMAGED, "damaged JPEG"), "%zu bytes", n);
}

static void check_flipped(const uint8_t *bytes, size_t n)
{
	struct picture_limits few = plenty;
	few.max_pixels = few.max_whole_pixels = 1 << 20;
	refused(bytes, n, &few, PICTURE_OK, "");
}

TEST(jpeg_every_truncation_is_refused_and_no_bit_error_does_harm)
{
	uint8_t *samples = make_slopes(40, 24, 3);
	for (int progressive = 0; progressive < 2; progressive++) {
		struct file file = pictures_jpeg(samples, 40, 24,
						 &(struct pictures_jpeg){ JPEG_YCC, 80, .halved_chroma = true,
									  .progressive = progressive, .orientation = 6 });
		pictures_damage(&file, file.n, check_cut, check_flipped);
		free(file.bytes);
	}
	free(samples);
}

// Phones write bytes before a marker, and others behind the picture's end.
TEST(jpeg_stray_bytes_are_skipped)
{
	uint8_t *samples = make_slopes(40, 24, 1);
	struct file file = pictures_jpeg(samples, 40, 24, &(struct pictures_jpeg){ .quality = 80 });
	uint8_t *longer = malloc(file.n + 20);
	size_t jfif = 2 + 2 + 16; // SOI and APP0
	memcpy(longer, file.bytes, jfif);
	memset(longer + jfif, 0, 10);
	memcpy(longer + jfif + 10, file.bytes + jfif, file.n - jfif);
	memset(longer + file.n + 10, 7, 10);
	CHECK(refused(longer, file.n + 20, &plenty, PICTURE_OK, ""));
	free(longer);
	free(file.bytes);
	free(samples);
}
