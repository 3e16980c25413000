#include "core/picture/ground.h"
#include "core/rng.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

// A closing by 32×32 pixels as it is defined: at each pixel, of all windows that hold it, the least of their lightest pixels.
static int lightest(const struct image *p, int left, int top)
{
	int most = 0;
	for (int y = top; y < top + 32; y++)
		for (int x = left; x < left + 32; x++)
			if (x >= 0 && y >= 0 && x < p->width && y < p->height && p->pixels[y * p->width + x] > most)
				most = p->pixels[y * p->width + x];
	return most;
}

static int ground_at(const struct image *p, int x, int y)
{
	int least = 255;
	for (int top = y - 31; top <= y; top++)
		for (int left = x - 31; left <= x; left++) {
			int l = lightest(p, left, top);
			least = l < least ? l : least;
		}
	return least;
}

TEST(ground_is_a_grey_closing)
{
	struct image p = { 45, 38, malloc(45 * 38) };
	uint8_t flat[45 * 38], alone[45 * 38];
	struct rng r;
	struct err e;
	rng_init(&r, 1);
	for (int i = 0; i < 45 * 38; i++)
		p.pixels[i] = (uint8_t)(rng_next(&r) >> 24);
	CHECK(ground_flatten(&p, flat, &e) == 0 && ground_find(&p, alone, &e) == 0);
	for (int y = 0; y < p.height; y += 7)
		for (int x = 0; x < p.width; x += 4) {
			int ground = ground_at(&p, x, y), ink = 255 * (ground - p.pixels[y * 45 + x]) / (ground > 96 ? ground : 96);
			CHECK_MSG(flat[y * 45 + x] == 255 - (ink < 255 ? ink : 255), "%d, %d: %d", x, y, flat[y * 45 + x]);
			CHECK(alone[y * 45 + x] == ground);
		}
	free(p.pixels);
}

// A stroke of 6 pixels over a shadow's edge and falling light: it is as dark everywhere, and all else is 255.
TEST(ground_takes_shadows_and_falling_light_out)
{
	enum { W = 120, H = 90 };
	struct image p = { W, H, malloc(W * H) };
	uint8_t flat[W * H];
	struct err e;
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++) {
			double light = (x < 50 ? 0.5 : 1) * (1 - 0.3 * y / H);
			p.pixels[y * W + x] = (uint8_t)(light * (y >= 40 && y < 46 && x > 10 && x < 110 ? 60 : 240) + 0.5);
		}
	CHECK(ground_flatten(&p, flat, &e) == 0);
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++) {
			bool ink = y >= 40 && y < 46 && x > 10 && x < 110;
			CHECK_MSG(ink ? abs(flat[y * W + x] - 64) < 12 : flat[y * W + x] > 250, "%d, %d: %d", x, y,
				  flat[y * W + x]);
		}
	free(p.pixels);
}
