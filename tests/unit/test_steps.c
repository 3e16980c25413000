// How made-up pictures were read: each step shows what it should, and keeping the steps changes nothing.
#include "core/picture/steps.h"

#include "core/idx.h"
#include "core/picture/decode.h"
#include "core/picture/png.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

// Of one picture.
struct shown {
	struct candidates candidates;
	struct steps steps;
	struct steps_drawn drawn;
};

struct rectangle {
	int left, top, right, bottom; // [left, right) × [top, bottom)
};

static struct image make_sheet(int width, int height, int grey)
{
	size_t n = (size_t)width * (size_t)height;
	struct image image = { width, height, malloc(n) };
	memset(image.pixels, grey, n);
	return image;
}

static void fill(struct image *image, struct rectangle r, int grey)
{
	for (int y = r.top; y < r.bottom; y++)
		memset(image->pixels + (size_t)y * (size_t)image->width + r.left, grey, (size_t)(r.right - r.left));
}

// Frees the image. The chosen candidate is the one whose box comes nearest to the stroke's, as a network would choose it; NULL: none.
static struct shown show(struct image *image, const struct rectangle *stroke)
{
	struct shown s = { .steps = { 0 } };
	struct candidates without;
	struct err e = { .msg = "" };
	CHECK_MSG(candidates_search(image, NULL, &s.steps, &s.candidates, &e) == 0, "%s", e.msg);
	CHECK(candidates_find(image, &without, &e) == 0 && without.n == s.candidates.n);
	CHECK(memcmp(without.pixels, s.candidates.pixels, (size_t)without.n * LENET5_PIXELS) == 0);
	image_free(image);
	int chosen = -1, least = 1 << 30;
	for (int i = 0; i < s.candidates.n && stroke; i++) {
		const struct candidate *c = &s.candidates.at[i];
		int apart = abs(c->left - stroke->left) + abs(c->right - stroke->right) + abs(c->top - stroke->top) +
			    abs(c->bottom - stroke->bottom);
		if (apart < least)
			least = apart, chosen = i;
	}
	CHECK((chosen >= 0) == (stroke != NULL));
	const uint8_t *pixels = chosen < 0 ? NULL : s.candidates.pixels[chosen];
	CHECK_MSG(steps_draw(&s.steps, chosen, pixels, &s.drawn, &e) == 0, "%s", e.msg);
	for (int i = 0; i < s.drawn.n; i++) {
		const struct image *drawn = &s.drawn.at[i].image;
		CHECK(drawn->width > 0 && drawn->height > 0 && drawn->width <= 512 && drawn->height <= 512);
		CHECK(*s.drawn.at[i].about && strlen(s.drawn.at[i].about) + 1 < STEPS_ABOUT_BYTES);
	}
	if (pixels) {
		const struct step *last = &s.drawn.at[s.drawn.n - 1];
		CHECK(strcmp(last->name, "input") == 0 && memcmp(last->image.pixels, pixels, LENET5_PIXELS) == 0);
	}
	return s;
}

static void forget(struct shown *s)
{
	steps_free(&s->steps);
	steps_drawn_free(&s->drawn);
}

static void check_names(const struct shown *s, const char *want)
{
	char names[128] = "";
	for (int i = 0; i < s->drawn.n; i++) {
		strcat(names, i ? " " : "");
		strcat(names, s->drawn.at[i].name);
	}
	CHECK_MSG(strcmp(names, want) == 0, "%s", names);
}

static const struct step *find(const struct shown *s, const char *name)
{
	for (int i = 0; i < s->drawn.n; i++)
		if (strcmp(s->drawn.at[i].name, name) == 0)
			return &s->drawn.at[i];
	CHECK_MSG(false, "no step %s", name);
	return &s->drawn.at[0];
}

static int at(const struct step *step, int x, int y)
{
	return step->image.pixels[y * step->image.width + x];
}

static bool is_red(const struct step *step, int x, int y)
{
	uint8_t palette[256][3];
	steps_palette(palette);
	const uint8_t *rgb = palette[at(step, x, y)];
	return step->has_colour && rgb[0] > 200 && rgb[1] < 100 && rgb[2] < 100;
}

// The share of the rectangle's pixels that are red.
static double share_red(const struct step *step, struct rectangle r)
{
	int n = 0;
	for (int y = r.top; y < r.bottom; y++)
		for (int x = r.left; x < r.right; x++)
			n += is_red(step, x, y);
	return (double)n / ((r.right - r.left) * (r.bottom - r.top));
}

// The red box goes around the rectangle, at most `slack` pixels away.
static void check_box(const struct step *step, struct rectangle r, int slack)
{
	struct rectangle red = { step->image.width, step->image.height, 0, 0 };
	for (int y = 0; y < step->image.height; y++)
		for (int x = 0; x < step->image.width; x++)
			if (is_red(step, x, y)) {
				red.left = x < red.left ? x : red.left;
				red.right = x + 1 > red.right ? x + 1 : red.right;
				red.top = y < red.top ? y : red.top;
				red.bottom = y + 1 > red.bottom ? y + 1 : red.bottom;
			}
	CHECK_MSG(red.left <= r.left && red.top <= r.top && red.right >= r.right && red.bottom >= r.bottom &&
			  red.left >= r.left - slack && red.top >= r.top - slack && red.right <= r.right + slack &&
			  red.bottom <= r.bottom + slack,
		  "[%d, %d) × [%d, %d)", red.left, red.right, red.top, red.bottom);
	CHECK(share_red(step, r) < 0.2); // it does not cover the stroke
}

TEST(steps_the_line_is_taken_out_and_not_the_stroke)
{
	const struct rectangle stroke = { 90, 30, 102, 140 }, line = { 0, 130, 200, 133 };
	struct image sheet = make_sheet(200, 160, 230);
	fill(&sheet, line, 20);
	fill(&sheet, stroke, 20);
	struct shown s = show(&sheet, &stroke);
	check_names(&s, "picture lines ink box input");
	CHECK(at(find(&s, "picture"), 95, 60) == 20 && at(find(&s, "picture"), 20, 20) == 230);
	CHECK(share_red(find(&s, "lines"), (struct rectangle){ 0, 130, 88, 133 }) > 0.95);
	CHECK(share_red(find(&s, "lines"), stroke) == 0);
	const struct step *ink = find(&s, "ink");
	CHECK(at(ink, 95, 60) == 0 && at(ink, 60, 131) != 0 && at(ink, 20, 20) == 255 && !ink->has_colour);
	check_box(find(&s, "box"), stroke, 3);
	forget(&s);
}

// A 7 that crosses the lower line of a box, so that both are one region. The lines are taken out of a copy, and the 7 is what is left of it.
TEST(steps_a_box_that_the_digit_crosses_is_taken_out)
{
	struct rectangle seven = { 160, 160, 0, 0 };
	struct image sheet = make_sheet(160, 160, 230);
	struct idx data;
	struct err e;
	CHECK(idx_read("tests/data", IDX_TEST, &data, &e) == 0);
	fill(&sheet, (struct rectangle){ 10, 10, 150, 150 }, 30);
	fill(&sheet, (struct rectangle){ 13, 13, 147, 147 }, 230);
	for (int i = 0; i < LENET5_PIXELS; i++) {
		struct rectangle r = { 30 + i % 28 * 4, 20 + i / 28 * 5, 34 + i % 28 * 4, 25 + i / 28 * 5 };
		if (data.pixels[i] <= 100)
			continue;
		fill(&sheet, r, 30);
		seven.left = r.left < seven.left ? r.left : seven.left;
		seven.top = r.top < seven.top ? r.top : seven.top;
		seven.right = r.right > seven.right ? r.right : seven.right;
		seven.bottom = r.bottom > seven.bottom ? r.bottom : seven.bottom;
	}
	idx_free(&data);
	CHECK(seven.bottom > 150);
	struct image same = make_sheet(160, 160, 0);
	memcpy(same.pixels, sheet.pixels, 160 * 160);
	struct shown s = show(&sheet, &seven);
	const struct step *lines = find(&s, "lines");
	CHECK(share_red(lines, (struct rectangle){ 10, 147, 70, 150 }) > 0.9 &&
	      share_red(lines, (struct rectangle){ 10, 30, 13, 120 }) > 0.9);
	CHECK(share_red(lines, (struct rectangle){ 20, 20, 140, 140 }) == 0);
	CHECK(at(find(&s, "ink"), 40, 148) != 0);
	forget(&s);
	s = show(&same, &(struct rectangle){ 10, 10, 150, 155 }); // from the box and the 7 together, nothing was taken out
	check_names(&s, "picture ink box input");
	forget(&s);
}

// A frame is a region of its own, and no candidate.
TEST(steps_a_frame_is_taken_out)
{
	const struct rectangle stroke = { 76, 40, 88, 120 };
	struct image sheet = make_sheet(160, 160, 230);
	fill(&sheet, (struct rectangle){ 10, 10, 150, 150 }, 30);
	fill(&sheet, (struct rectangle){ 13, 13, 147, 147 }, 230);
	fill(&sheet, stroke, 30);
	struct shown s = show(&sheet, &stroke);
	const struct step *lines = find(&s, "lines");
	CHECK(share_red(lines, (struct rectangle){ 10, 147, 150, 150 }) > 0.9 &&
	      share_red(lines, (struct rectangle){ 10, 10, 13, 150 }) > 0.9);
	CHECK(share_red(lines, (struct rectangle){ 20, 20, 140, 140 }) == 0);
	forget(&s);
}

TEST(steps_the_light_is_the_sheet_without_strokes)
{
	const struct rectangle stroke = { 90, 30, 102, 100 };
	struct image sheet = make_sheet(200, 160, 0);
	for (int i = 0; i < 200 * 160; i++)
		sheet.pixels[i] = (uint8_t)(120 + i % 200 / 2);
	fill(&sheet, stroke, 20);
	struct shown s = show(&sheet, &stroke);
	const struct step *light = find(&s, "light"), *flat = find(&s, "flat");
	for (int x = 10; x < 190; x += 20)
		CHECK_MSG(abs(at(light, x, 60) - 120 - x / 2) <= 16 && (x == 90 || at(flat, x, 60) > 225), "%d: %d %d", x,
			  at(light, x, 60), at(flat, x, 60));
	CHECK(at(flat, 95, 60) < 60);
	check_box(find(&s, "box"), stroke, 4);
	forget(&s);
}

TEST(steps_light_strokes_are_dark_ink)
{
	const struct rectangle stroke = { 90, 30, 102, 100 };
	struct image sheet = make_sheet(200, 160, 20);
	for (int i = 0; i < 200 * 160; i++)
		sheet.pixels[i] = (uint8_t)(20 + i % 200 / 4);
	fill(&sheet, stroke, 240);
	struct shown s = show(&sheet, &stroke);
	CHECK(abs(at(find(&s, "light"), 95, 60) - 43) < 16 && at(find(&s, "flat"), 95, 60) < 60);
	CHECK(strstr(find(&s, "flat")->about, "negative") && at(find(&s, "ink"), 95, 60) == 0);
	forget(&s);
}

// The stroke is found in a closer look than the large one, whose mark is drawn at its place there, too.
TEST(steps_marks_of_other_looks_have_their_place)
{
	const struct rectangle large = { 100, 100, 180, 700 }, small = { 500, 400, 510, 460 };
	for (int i = 0; i < 2; i++) {
		struct image sheet = make_sheet(800, 800, 230);
		fill(&sheet, large, 20);
		fill(&sheet, small, 20);
		struct shown s = show(&sheet, i ? &small : &large);
		const struct step *ink = find(&s, "ink");
		double k = 800.0 / ink->image.width;
		CHECK(s.steps.n_looks == 2);
		int of_large = at(ink, (int)(140 / k), (int)(400 / k)), of_small = at(ink, (int)(505 / k), (int)(430 / k));
		CHECK_MSG(of_large == (i ? 190 : 0) && of_small == (i ? 0 : 190), "%d and %d", of_large, of_small);
		forget(&s);
	}
}

TEST(steps_are_bounded)
{
	static const int sizes[][2] = { { 767, 700 }, { 16000, 40 }, { 3, 2000 } };
	for (int i = 0; i < 3; i++) {
		int width = sizes[i][0], height = sizes[i][1];
		struct image sheet = make_sheet(width, height, 230);
		const struct rectangle stroke = { width / 3, height / 4, width / 3 + (width + 29) / 30, height / 2 };
		fill(&sheet, stroke, 20);
		struct shown s = show(&sheet, &stroke);
		forget(&s);
	}
}

TEST(steps_of_pictures_without_a_search_or_without_a_find)
{
	struct image blank = make_sheet(200, 150, 200);
	struct shown s = show(&blank, NULL);
	check_names(&s, "picture");
	CHECK(at(&s.drawn.at[0], 100, 70) == 200);
	forget(&s);

	struct idx data;
	struct err e;
	CHECK(idx_read("tests/data", IDX_TEST, &data, &e) == 0);
	struct image seven = make_sheet(28, 28, 0);
	memcpy(seven.pixels, data.pixels, LENET5_PIXELS);
	s = show(&seven, &(struct rectangle){ 0, 0, 28, 28 });
	check_names(&s, "input");
	CHECK(strstr(s.drawn.at[0].about, "MNIST") && memcmp(s.drawn.at[0].image.pixels, data.pixels, LENET5_PIXELS) == 0);
	forget(&s);
	idx_free(&data);
}

TEST(steps_box_is_in_pixels_of_the_sent_picture)
{
	const struct candidate c = { .left = 10, .top = 20, .right = 30, .bottom = 60 };
	struct steps_box b = steps_box(&c, 1, 1);
	CHECK(b.x == 10 && b.y == 20 && b.width == 20 && b.height == 40);
	b = steps_box(&c, 2.5, 3);
	CHECK(b.x == 25 && b.y == 60 && b.width == 50 && b.height == 120);
}

TEST(png_writes_a_palette)
{
	struct image image = make_sheet(40, 30, 0);
	uint8_t palette[256][3], *png;
	size_t n;
	struct err e;
	struct picture back;
	const struct picture_limits limits = PICTURE_LIMITS;
	steps_palette(palette);
	for (int i = 0; i < 40 * 30; i++)
		image.pixels[i] = (uint8_t)(i % 128);
	for (int coloured = 0; coloured < 2; coloured++) {
		image.pixels[7] = coloured ? 128 : 7;
		CHECK(png_encode_palette(&image, palette, true, &png, &n, &e) == 0);
		CHECK(picture_decode(png, n, &limits, &back, &e) == PICTURE_OK && (back.cb != NULL) == coloured);
		for (int i = 8; i < 40 * 30; i++)
			CHECK(back.luma[i] == palette[i % 128][0]);
		picture_free(&back);
		free(png);
	}
	image_free(&image);
}
