// The generator of hard pictures (tests/pictures): what it makes depends on the seed alone, has a sensible size, and shows something.
#include "core/builtin.h"
#include "tests/pictures/hard.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

static bool is_same(const struct image *a, const struct image *b)
{
	return a->width == b->width && a->height == b->height &&
	       memcmp(a->pixels, b->pixels, (size_t)a->width * (size_t)a->height) == 0;
}

// The grey values that hold all but the darkest and the lightest thousandth.
static int contrast_of(const struct image *p)
{
	int counts[256] = { 0 }, n = p->width * p->height, low = 0, high = 255, below = 0, above = 0;
	for (int i = 0; i < n; i++)
		counts[p->pixels[i]]++;
	while (1000 * (below += counts[low]) < n)
		low++;
	while (1000 * (above += counts[high]) < n)
		high--;
	return high - low;
}

TEST(hard_pictures_depend_on_the_seed)
{
	const uint8_t *digits = builtin_digits();
	struct err e;
	for (int condition = 0; condition < HARD_CONDITIONS; condition++) {
		struct image a = { 0 }, b = { 0 }, c = { 0 };
		const uint8_t *digit = digits + condition % 10 * 784;
		bool made = hard_make(condition, 7, digit, &a, &e) == 0 && hard_make(condition, 7, digit, &b, &e) == 0 &&
			    hard_make(condition, 8, digit, &c, &e) == 0;
		CHECK_MSG(made, "%s: %s", hard_name(condition), e.msg);
		CHECK_MSG(made && is_same(&a, &b), "%s: one seed makes two pictures", hard_name(condition));
		CHECK_MSG(made && !is_same(&a, &c), "%s: two seeds make one picture", hard_name(condition));
		image_free(&a);
		image_free(&b);
		image_free(&c);
	}
}

TEST(hard_pictures_have_size_and_contrast)
{
	const uint8_t *digits = builtin_digits();
	int n = test_is_short() ? 1 : 5;
	for (int condition = 0; condition < HARD_CONDITIONS; condition++)
		for (int i = 0; i < n; i++) {
			struct image image = { 0 };
			struct err e;
			int status = hard_make(condition, (uint64_t)i, digits + (condition + i) % 10 * 784, &image, &e);
			CHECK_MSG(status == 0, "%s: %s", hard_name(condition), e.msg);
			if (status)
				continue;
			int w = image.width, h = image.height;
			CHECK_MSG(w >= 8 && h >= 8 && w <= 1600 && h <= 1600, "%s, %d: %d×%d", hard_name(condition), i, w, h);
			CHECK_MSG(contrast_of(&image) >= 15, "%s, %d: contrast of %d", hard_name(condition), i,
				  contrast_of(&image));
			image_free(&image);
		}
}
