#include "core/picture/reduce.h"

#include "core/rng.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 80 };

// Samples of four channels, (height, width) each.
struct samples {
	int width, height;
	uint8_t of[REDUCE_CHANNELS][MOST * MOST];
};

static struct samples make(struct rng *rng)
{
	struct samples s = { .width = 1 + (int)rng_below(rng, MOST), .height = 1 + (int)rng_below(rng, MOST) };
	for (int c = 0; c < REDUCE_CHANNELS; c++)
		for (int i = 0; i < s.width * s.height; i++)
			s.of[c][i] = (uint8_t)(c == REDUCE_LUMA ? 60 + rng_below(rng, 100) : rng_below(rng, 256));
	return s;
}

static void fill_row(const struct reduce *r, const struct samples *s, int x, int y, int step, int n)
{
	for (int c = 0; c < REDUCE_CHANNELS; c++)
		for (int i = 0; r->row[c] && i < n; i++)
			r->row[c][i] = s->of[c][y * s->width + x + i * step];
}

// In the order of Adam7's passes, or row by row.
static struct picture reduce(const struct samples *s, size_t looked_at, bool has_colour, bool has_alpha, bool in_passes,
			     int orientation)
{
	static const int passes[][4] = { { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 },
					 { 0, 2, 2, 4 }, { 1, 0, 2, 2 }, { 0, 1, 1, 2 }, { 0, 0, 1, 1 } };
	struct reduce r = { 0 };
	struct picture p = { 0 };
	struct err e;
	CHECK(reduce_init(&r, s->width, s->height, looked_at, has_colour, has_alpha, &e) == 0);
	for (int pass = in_passes ? 0 : 7; pass < (in_passes ? 7 : 8); pass++) {
		const int *at = passes[pass];
		int n = (s->width - at[0] + at[2] - 1) / at[2];
		for (int y = at[1]; n > 0 && y < s->height; y += at[3]) {
			fill_row(&r, s, at[0], y, at[2], n);
			reduce_add(&r, at[0], y, at[2], n);
		}
	}
	CHECK(reduce_finish(&r, orientation, &p, &e) == 0);
	reduce_fini(&r);
	return p;
}

// By doubles, from the definition; ground −1: no alpha.
static double mean_of(const struct samples *s, int c, int factor, int column, int row, double ground)
{
	double sum = 0;
	int n = 0;
	for (int y = row * factor; y < (row + 1) * factor && y < s->height; y++)
		for (int x = column * factor; x < (column + 1) * factor && x < s->width; x++, n++) {
			double alpha = ground < 0 ? 1 : s->of[REDUCE_ALPHA][y * s->width + x] / 255.0;
			sum += s->of[c][y * s->width + x] * alpha + (ground < 0 ? 0 : ground * (1 - alpha));
		}
	return sum / n;
}

static double ground_of(const struct samples *s)
{
	double light = 0, visible = 0;
	for (int i = 0; i < s->width * s->height; i++) {
		light += s->of[REDUCE_LUMA][i] * s->of[REDUCE_ALPHA][i];
		visible += s->of[REDUCE_ALPHA][i];
	}
	return light > 127.5 * visible ? 0 : 255;
}

TEST(reduce_means_are_those_of_plain_loops)
{
	struct rng rng;
	rng_init(&rng, 3);
	for (int round = 0; round < 300; round++) {
		struct samples s = make(&rng);
		size_t looked_at = 1 + rng_below(&rng, round % 3 ? 1000 : 6400);
		bool has_colour = rng_below(&rng, 2), has_alpha = rng_below(&rng, 2), in_passes = rng_below(&rng, 2);
		struct picture p = reduce(&s, looked_at, has_colour, has_alpha, in_passes, 1);
		int factor = reduce_factor(s.width, s.height, looked_at);
		const uint8_t *planes[] = { p.luma, p.cb, p.cr };
		double grounds[] = { has_alpha ? ground_of(&s) : -1, has_alpha ? 128 : -1, has_alpha ? 128 : -1 };
		double slack = 0.51 + (has_alpha && factor > 1 ? 0.5 : 0); // weighted samples are rounded, too
		CHECK((size_t)p.width * (size_t)p.height <= looked_at && p.width == (s.width + factor - 1) / factor);
		CHECK(p.sent_width == s.width && p.sent_height == s.height);
		CHECK(!has_colour == !p.cb || s.width * s.height < 4);
		for (int c = 0; c < (p.cb ? 3 : 1); c++)
			for (int i = 0; i < p.width * p.height; i++) {
				double want = mean_of(&s, c, factor, i % p.width, i / p.width, grounds[c]);
				double off = planes[c][i] - want;
				CHECK_MSG(off <= slack && off >= -slack, "channel %d, factor %d, %d,%d: %d, want %g", c, factor,
					  i % p.width, i / p.width, planes[c][i], want);
			}
		picture_free(&p);
	}
}

TEST(reduce_large_means_do_not_overflow)
{
	struct samples s = { .width = MOST, .height = MOST };
	memset(s.of, 255, sizeof s.of);
	for (int looked_at = 1; looked_at <= 6400; looked_at *= 2) {
		struct picture p = reduce(&s, (size_t)looked_at, true, true, false, 1);
		for (int i = 0; i < p.width * p.height; i++)
			CHECK(p.luma[i] == 255 && p.cb[i] == 255 && p.cr[i] == 255);
		picture_free(&p);
	}
}

TEST(reduce_the_factor_is_the_least_that_is_enough)
{
	CHECK(reduce_factor(280, 280, 1 << 20) == 1 && reduce_factor(1024, 1024, 1 << 20) == 1);
	CHECK(reduce_factor(1025, 1024, 1 << 20) == 2 && reduce_factor(4096, 4096, 1 << 20) == 4);
	CHECK(reduce_factor(8000, 8000, 1 << 20) == 8 && reduce_factor(PICTURE_MAX_SIDE, PICTURE_MAX_SIDE, 1) == PICTURE_MAX_SIDE);
}

TEST(reduce_no_colour_is_a_grey_picture)
{
	struct samples s = { .width = 9, .height = 7 };
	memset(s.of, 128, sizeof s.of);
	struct picture p = reduce(&s, 1000, true, false, false, 1);
	CHECK(p.luma && !p.cb && !p.cr);
	picture_free(&p);
	s.of[REDUCE_CR][62] = 129;
	p = reduce(&s, 1000, true, false, false, 1);
	CHECK(p.cb && p.cr && p.cb[62] == 128 && p.cr[62] == 129);
	picture_free(&p);
}

// Where the file's first row and its first column lie in the picture as it is to be seen (CIPA DC-008, table 6).
TEST(reduce_every_orientation_is_turned_upright)
{
	static const struct {
		bool sideways, row_is_last,
			column_is_last; // the first row is left or right; it is at the bottom or right; and so on
	} seen[] = { [1] = { 0, 0, 0 }, { 0, 0, 1 }, { 0, 1, 1 }, { 0, 1, 0 }, { 1, 0, 0 }, { 1, 1, 0 }, { 1, 1, 1 }, { 1, 0, 1 } };
	struct rng rng;
	rng_init(&rng, 5);
	for (int round = 0; round < 40; round++) {
		struct samples s = make(&rng);
		size_t looked_at = round % 2 ? 6400 : 50 + rng_below(&rng, 1000);
		bool has_alpha = round % 4 > 1;
		struct picture upright = reduce(&s, looked_at, true, has_alpha, false, 1);
		for (int o = 1; o <= 8 && upright.cb; o++) {
			struct picture p = reduce(&s, looked_at, true, has_alpha, false, o);
			bool sideways = seen[o].sideways;
			CHECK(p.width == (sideways ? upright.height : upright.width));
			CHECK(p.sent_width == (sideways ? s.height : s.width) && p.sent_height == (sideways ? s.width : s.height));
			for (int y = 0; y < upright.height; y++)
				for (int x = 0; x < upright.width; x++) {
					int row = seen[o].row_is_last ? upright.height - 1 - y : y;
					int column = seen[o].column_is_last ? upright.width - 1 - x : x;
					int from = y * upright.width + x;
					int to = sideways ? column * p.width + row : row * p.width + column;
					CHECK_MSG(p.luma[to] == upright.luma[from] && p.cb[to] == upright.cb[from] &&
							  p.cr[to] == upright.cr[from],
						  "orientation %d, pixel %d,%d", o, x, y);
				}
			picture_free(&p);
		}
		picture_free(&upright);
	}
}
