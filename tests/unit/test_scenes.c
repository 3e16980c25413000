#include "core/idx.h"
#include "core/lenet5.h"
#include "models/scene.h"
#include "models/scenes.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

enum { N_SCENES = 60 };

TEST(scenes_depend_on_their_seed_only)
{
	struct idx data = { 0 };
	struct err e;
	CHECK(idx_read("tests/data", IDX_TRAIN, &data, &e) == 0);
	for (uint32_t i = 0; i < 20; i++) {
		struct scene a, b, other;
		CHECK(scene_compose(&data, 1, i, &a, &e) == 0 && scene_compose(&data, 1, i, &b, &e) == 0 &&
		      scene_compose(&data, 2, i, &other, &e) == 0);
		size_t n = (size_t)a.image.width * (size_t)a.image.height;
		bool same = a.image.width == b.image.width && a.image.height == b.image.height &&
			    memcmp(a.image.pixels, b.image.pixels, n) == 0;
		bool differs = a.image.width != other.image.width || a.image.height != other.image.height ||
			       memcmp(a.image.pixels, other.image.pixels, n) != 0;
		CHECK_MSG(same && differs && n > 100, "scene %u, %zu pixels", i, n);
		for (int k = 0; k < a.n_digits; k++)
			CHECK(a.digits[k].digit >= 0 && a.digits[k].digit <= 9 && a.digits[k].left < a.digits[k].right);
		image_free(&a.image);
		image_free(&b.image);
		image_free(&other.image);
	}
	idx_free(&data);
}

// With one thread and with three the same pictures, behind the data's own; digits and other things among them.
TEST(scenes_add_digits_and_others)
{
	struct idx data = { 0 }, one = { 0 }, three = { 0 };
	struct err e = { .msg = "" };
	int n_digits = 0, n_others = 0;
	const struct scenes_counts counts = { N_SCENES, 2 * N_SCENES };
	CHECK(idx_read("tests/data", IDX_TRAIN, &data, &e) == 0);
	CHECK_MSG(scenes_add(&data, counts, 3, 1, &one, &e) == 0 && scenes_add(&data, counts, 3, 3, &three, &e) == 0, "%s", e.msg);
	CHECK(one.n == three.n && memcmp(one.labels, three.labels, one.n) == 0 &&
	      memcmp(one.pixels, three.pixels, (size_t)one.n * LENET5_PIXELS) == 0);
	CHECK(one.n > data.n && memcmp(one.pixels, data.pixels, (size_t)data.n * LENET5_PIXELS) == 0 &&
	      memcmp(one.labels, data.labels, data.n) == 0);
	for (uint32_t i = data.n; i < one.n; i++) {
		n_digits += one.labels[i] < LENET5_NO_DIGIT;
		n_others += one.labels[i] == LENET5_NO_DIGIT;
	}
	CHECK_MSG(n_digits > N_SCENES / 3 && n_others > 2 * N_SCENES && n_digits + n_others == (int)(one.n - data.n),
		  "%d digits and %d others in %d scenes", n_digits, n_others, N_SCENES);
	idx_free(&three);
	idx_free(&one);
	idx_free(&data);
}
