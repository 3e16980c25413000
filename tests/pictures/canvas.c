// Strokes, inks and warps. What a camera does to the whole picture is in camera.c.
#include "tests/pictures/canvas.h"

#include <math.h>
#include <stdlib.h>

int canvas_open(struct canvas *c, int width, int height, float level, struct err *e)
{
	size_t n = (size_t)width * (size_t)height;
	*c = (struct canvas){ width, height, malloc(n * sizeof *c->grey), calloc(n, sizeof *c->cover) };
	if (!c->grey || !c->cover) {
		canvas_close(c);
		return err_set(e, "no memory for a canvas of %d×%d", width, height);
	}
	for (size_t i = 0; i < n; i++)
		c->grey[i] = level;
	return 0;
}

void canvas_close(struct canvas *c)
{
	free(c->grey);
	free(c->cover);
	*c = (struct canvas){ 0 };
}

float canvas_clamp(float v, float low, float high)
{
	return v < low ? low : v > high ? high : v;
}

bool canvas_chance(struct rng *rng, float p)
{
	return rng_uniform(rng, 0, 1) < p;
}

static float lattice(int x, int y, uint32_t seed)
{
	uint32_t h = (uint32_t)x * 0x9e3779b1u ^ (uint32_t)y * 0x85ebca77u ^ seed * 0xc2b2ae3du;
	h = (h ^ h >> 15) * 0x2c1b3c6du;
	h = (h ^ h >> 12) * 0x297a2d39u;
	return (float)((h ^ h >> 15) >> 8) / 16777216.0f;
}

float canvas_value_noise(float x, float y, uint32_t seed)
{
	int x0 = (int)floorf(x), y0 = (int)floorf(y);
	float u = x - (float)x0, v = y - (float)y0;
	u = u * u * (3 - 2 * u), v = v * v * (3 - 2 * v);
	float above = lattice(x0, y0, seed) * (1 - u) + lattice(x0 + 1, y0, seed) * u;
	float below = lattice(x0, y0 + 1, seed) * (1 - u) + lattice(x0 + 1, y0 + 1, seed) * u;
	return above * (1 - v) + below * v;
}

void canvas_cover(struct canvas *c, int x, int y, float alpha)
{
	if (x < 0 || y < 0 || x >= c->width || y >= c->height)
		return;
	float *at = &c->cover[y * c->width + x];
	alpha = alpha > 1 ? 1 : alpha;
	*at = alpha > *at ? alpha : *at;
}

void canvas_stroke(struct canvas *c, float x0, float y0, float x1, float y1, float width)
{
	float dx = x1 - x0, dy = y1 - y0, length2 = dx * dx + dy * dy, reach = width / 2 + 1;
	float strength = width < 1 ? width : 1, r = width < 1 ? 0.5f : width / 2;
	int left = (int)floorf(fminf(x0, x1) - reach), right = (int)ceilf(fmaxf(x0, x1) + reach);
	int top = (int)floorf(fminf(y0, y1) - reach), bottom = (int)ceilf(fmaxf(y0, y1) + reach);
	for (int y = top < 0 ? 0 : top; y <= bottom && y < c->height; y++)
		for (int x = left < 0 ? 0 : left; x <= right && x < c->width; x++) {
			float u = (float)x - x0, v = (float)y - y0;
			float t = length2 > 0 ? canvas_clamp((u * dx + v * dy) / length2, 0, 1) : 0;
			canvas_cover(c, x, y, strength * canvas_clamp(r + 0.5f - hypotf(u - t * dx, v - t * dy), 0, 1));
		}
}

void canvas_ink(struct canvas *c, float level, float strength, float grain, float grain_pixels, uint32_t seed)
{
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float *cover = &c->cover[y * c->width + x], *grey = &c->grey[y * c->width + x];
			if (*cover <= 0)
				continue;
			float rough = 1;
			if (grain > 0) {
				float u = (float)x / grain_pixels, v = (float)y / grain_pixels;
				float bump =
					0.6f * canvas_value_noise(u, v, seed) + 0.4f * canvas_value_noise(2 * u, 2 * v, seed + 1);
				rough = 1 - grain * canvas_clamp(2.5f * (bump - 0.3f), 0, 1);
			}
			*grey += (level - *grey) * *cover * strength * rough;
			*cover = 0;
		}
}

static float pixel(const struct canvas *c, int x, int y)
{
	x = x < 0 ? 0 : x >= c->width ? c->width - 1 : x;
	y = y < 0 ? 0 : y >= c->height ? c->height - 1 : y;
	return c->grey[y * c->width + x];
}

static float between(const struct canvas *c, float x, float y)
{
	int x0 = (int)floorf(x), y0 = (int)floorf(y);
	float u = x - (float)x0, v = y - (float)y0;
	float above = pixel(c, x0, y0) * (1 - u) + pixel(c, x0 + 1, y0) * u;
	float below = pixel(c, x0, y0 + 1) * (1 - u) + pixel(c, x0 + 1, y0 + 1) * u;
	return above * (1 - v) + below * v;
}

void canvas_warp(struct canvas *c, const struct canvas *from, const float m[8], bool is_endless)
{
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float a = (float)x, b = (float)y, w = m[6] * a + m[7] * b + 1;
			float u = (m[0] * a + m[1] * b + m[2]) / w, v = (m[3] * a + m[4] * b + m[5]) / w;
			float inside = fminf(fminf(u, v), fminf((float)from->width - 1 - u, (float)from->height - 1 - v));
			float alpha = is_endless ? 1 : canvas_clamp(inside + 0.5f, 0, 1);
			float *grey = &c->grey[y * c->width + x];
			if (alpha > 0)
				*grey += alpha * (between(from, u, v) - *grey);
		}
}
