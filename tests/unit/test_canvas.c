// The whole way from a canvas to an answer: test digits redrawn on canvases of many sizes, in both polarities, anywhere,
// must be read nearly as well as the plain pictures are.
#include "core/builtin.h"
#include "core/idx.h"
#include "core/picture/verdict.h"
#include "core/rng.h"
#include "kernels/cpu/cpu.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The digit's own box within its 28×28 picture.
struct box {
	int left, top, width, height;
};

static struct box find_box(const uint8_t *digit)
{
	int left = 28, top = 28, right = 0, bottom = 0;
	for (int i = 0; i < 784; i++)
		if (digit[i]) {
			left = i % 28 < left ? i % 28 : left;
			right = i % 28 > right ? i % 28 : right;
			top = i / 28 < top ? i / 28 : top;
			bottom = i / 28;
		}
	return (struct box){ left, top, right - left + 1, bottom - top + 1 };
}

static float ink_at(const uint8_t *digit, int x, int y)
{
	return x < 0 || y < 0 || x > 27 || y > 27 ? 0 : (float)digit[y * 28 + x];
}

static float bilinear(const uint8_t *digit, float x, float y)
{
	int x0 = (int)floorf(x), y0 = (int)floorf(y);
	float right = x - (float)x0, below = y - (float)y0;
	float upper = ink_at(digit, x0, y0) * (1 - right) + ink_at(digit, x0 + 1, y0) * right;
	float lower = ink_at(digit, x0, y0 + 1) * (1 - right) + ink_at(digit, x0 + 1, y0 + 1) * right;
	return upper * (1 - below) + lower * below;
}

// Enlarged so that its longer side fills 30 to 90 % of the canvas, at a random place within it.
static void draw(struct image *canvas, const uint8_t *digit, bool dark, struct rng *rng)
{
	struct box box = find_box(digit);
	int side = canvas->width, longer = box.width > box.height ? box.width : box.height;
	float times = rng_uniform(rng, 0.3f, 0.9f) * (float)side / (float)longer;
	int width = (int)(times * (float)(box.width + 2)), height = (int)(times * (float)(box.height + 2)); // with a faint rim
	int left = (int)rng_uniform(rng, 0, (float)side - times * (float)box.width) - (int)times;
	int top = (int)rng_uniform(rng, 0, (float)side - times * (float)box.height) - (int)times;
	memset(canvas->pixels, dark ? 255 : 0, (size_t)(side * side));
	for (int y = top < 0 ? 0 : top; y < top + height && y < side; y++)
		for (int x = left < 0 ? 0 : left; x < left + width && x < side; x++) {
			float from_x = ((float)(x - left) + 0.5f) / times + (float)box.left - 1.5f;
			float from_y = ((float)(y - top) + 0.5f) / times + (float)box.top - 1.5f;
			int ink = (int)(bilinear(digit, from_x, from_y) + 0.5f);
			canvas->pixels[y * side + x] = (uint8_t)(dark ? 255 - ink : ink);
		}
}

struct reader {
	struct engine *engine;
	struct engine_model *model;
	struct engine_context *context;
};

static bool reads_right(const struct reader *r, const struct image *image, int label)
{
	struct verdict v;
	struct err e;
	return verdict_read(image, r->context, r->model, lenet5_uncalibrated, &v, &e) == 0 && v.candidate >= 0 &&
	       v.prediction.digit == label;
}

static int count_plain(const struct reader *r, const struct idx *data, int n)
{
	int right = 0;
	for (int i = 0; i < n; i++)
		right += reads_right(r, &(struct image){ 28, 28, data->pixels + (size_t)i * 784 }, data->labels[i]);
	return right;
}

static int count_redrawn(const struct reader *r, const struct idx *data, int n, int side, bool dark)
{
	struct rng rng;
	struct image canvas = { side, side, malloc((size_t)(side * side)) };
	int right = 0;
	rng_init(&rng, (uint64_t)side * 2 + dark);
	for (int i = 0; i < n; i++) {
		draw(&canvas, data->pixels + (size_t)i * 784, dark, &rng);
		right += reads_right(r, &canvas, data->labels[i]);
	}
	image_free(&canvas);
	return right;
}

// Redrawing costs at most 1.5 points. Measured with models/relu.bin: 0.05 and 0.1 at 200×200, none at the larger sizes.
TEST(canvas_redrawn_digits_are_read)
{
	struct weights w = { 0 };
	struct idx data = { 0 };
	struct reader r = { 0 };
	struct err e = { .msg = "" };
	CHECK_MSG(builtin_read(&w, &e) == 0 && idx_read("tests/data", IDX_TEST, &data, &e) == 0, "%s", e.msg);
	struct engine_network network = { w.net, w.mean, w.std, w.params };
	bool ready = w.net && data.n >= 2000 && cpu_engine_open(NULL, &r.engine, &e) == 0 &&
		     engine_model_new(r.engine, &network, &r.model, &e) == 0 &&
		     engine_context_open(r.engine, CANDIDATES_MAX, 1, &r.context, &e) == 0;
	CHECK_MSG(ready, "%s", e.msg);

	// Fewer of the larger ones, to keep this a matter of seconds.
	static const int cases[][2] = { { 200, 2000 }, { 440, 800 }, { 1000, 200 } };
	for (int c = 0; ready && c < 3; c++)
		for (int dark = 0; dark < 2; dark++) {
			int side = cases[c][0], n = cases[c][1], plain = count_plain(&r, &data, n);
			int right = count_redrawn(&r, &data, n, side, dark);
			CHECK_MSG(plain >= n * 97 / 100, "the built-in model reads only %d of %d plain pictures", plain, n);
			if (getenv("TEST_VERBOSE"))
				printf("  canvas %d, %s: %d of %d right, plain %d\n", side,
				       dark ? "dark on light" : "light on dark", right, n, plain);
			CHECK_MSG(right >= plain - n * 15 / 1000, "%d×%d, %s: %d of %d right, plain %d", side, side,
				  dark ? "dark on light" : "light on dark", right, n, plain);
		}
	engine_context_close(r.context);
	engine_model_unref(r.model);
	engine_close(r.engine);
	idx_free(&data);
	weights_free(&w);
}
