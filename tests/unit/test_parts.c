// What is found of made-up strokes, frames and lines.
#include "core/picture/parts.h"
#include "core/picture/regions.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 120, PAPER = 230, INK = 40 };

static void fill(struct image *image, int left, int top, int right, int bottom, int grey)
{
	for (int y = top; y < bottom; y++)
		memset(image->pixels + y * image->width + left, grey, (size_t)(right - left));
}

static struct image make_sheet(void)
{
	struct image image = { SIDE, SIDE, malloc(SIDE * SIDE) };
	fill(&image, 0, 0, SIDE, SIDE, PAPER);
	return image;
}

// An L, 50×60, with its upper left corner at (x, y).
static void draw_letter(struct image *image, int x, int y)
{
	fill(image, x, y, x + 12, y + 60, INK);
	fill(image, x, y + 46, x + 50, y + 60, INK);
}

// How many parts have a box that is off by no more than `slack` on any side. Frees the image.
static int count(struct image *image, int left, int top, int right, int bottom, int slack)
{
	struct planes planes;
	struct parts parts = { 0 };
	struct err e = { .msg = "" };
	int n = 0;
	CHECK_MSG(planes_make(image, 1, &planes, &e) == 0 && parts_find(&planes, false, NULL, NULL, &parts, &e) == 0, "%s", e.msg);
	for (int i = 0; i < parts.n; i++) {
		const struct mark *m = &parts.at[i].mark;
		n += !planes_is_light(parts.at[i].plane) && abs(m->left - left) <= slack && abs(m->top - top) <= slack &&
		     abs(m->right - right) <= slack && abs(m->bottom - bottom) <= slack;
	}
	parts_free(&parts);
	planes_free(&planes);
	image_free(image);
	return n;
}

TEST(parts_a_letter_is_one)
{
	struct image image = make_sheet();
	draw_letter(&image, 40, 30);
	CHECK(count(&image, 40, 30, 90, 90, 0) == 1);
}

TEST(parts_a_frame_is_none_and_does_not_hide_what_it_holds)
{
	struct image image = make_sheet();
	draw_letter(&image, 40, 30);
	fill(&image, 20, 10, 110, 13, INK);
	fill(&image, 20, 107, 110, 110, INK);
	fill(&image, 20, 10, 23, 110, INK);
	fill(&image, 107, 10, 110, 110, INK);
	struct image copy = { SIDE, SIDE, malloc(SIDE * SIDE) };
	memcpy(copy.pixels, image.pixels, SIDE * SIDE);
	CHECK(count(&image, 40, 30, 90, 90, 0) == 1);
	CHECK(count(&copy, 20, 10, 110, 110, 2) == 0);
}

// Without the columns that the letter's foot covers, the line is too short for one.
TEST(parts_a_ruled_line_is_taken_off_the_strokes_that_cross_it)
{
	struct image image = make_sheet();
	draw_letter(&image, 40, 30);
	fill(&image, 0, 82, SIDE, 84, INK);
	CHECK(count(&image, 40, 30, 90, 90, 1) >= 1);
}

// A 1 that is as high as a tiny picture is not a line.
TEST(parts_a_tiny_picture_has_no_lines)
{
	struct image image = { 14, 18, malloc(14 * 18) };
	memset(image.pixels, PAPER, 14 * 18);
	fill(&image, 6, 0, 8, 18, INK);
	CHECK(count(&image, 6, 0, 8, 18, 0) >= 1);
}

// The ring pales to half of its contrast over a third of its length, and is still one.
TEST(parts_a_pale_piece_of_a_stroke_belongs_to_it)
{
	struct image image = make_sheet();
	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++) {
			double away = hypot(x - 60, y - 60), pale = x > 60 + 12 ? 1 : x > 60 ? (x - 60) / 12.0 : 0;
			if (away > 25 && away < 32)
				image.pixels[y * SIDE + x] = (uint8_t)(INK + pale * 0.5 * (PAPER - INK));
		}
	CHECK(count(&image, 28, 28, 93, 93, 2) >= 1);
}
