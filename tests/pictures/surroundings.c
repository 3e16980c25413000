// What is around a sheet, the light on it, and what a program or a display puts around or over a picture.
#include "tests/pictures/look.h"

#include <math.h>

static float uniform(struct rng *rng, float low, float high)
{
	return rng_uniform(rng, low, high);
}

// Wood with its grain along one side, or a plain dark top; or a light top under a blackboard's slate.
static void draw_desk(struct canvas *c, float level, struct rng *rng)
{
	uint32_t seed = rng_next(rng);
	bool is_wood = canvas_chance(rng, 0.6f), is_upright = canvas_chance(rng, 0.5f);
	float grain = is_wood ? uniform(rng, 25, 55) : 8, pitch = uniform(rng, 5, 16);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float along = (float)(is_upright ? y : x) / (18 * pitch), across = (float)(is_upright ? x : y) / pitch;
			float bend = 3 * canvas_value_noise(along, across / 8, seed);
			float v = canvas_value_noise(2 * along, across + bend, seed + 1) - 0.5f;
			float fine = canvas_value_noise(12 * along, 5 * across + bend, seed + 2) - 0.5f;
			c->grey[y * c->width + x] = level + grain * (v + 0.5f * fine);
		}
}

// The homography of a sheet that is turned by `angle` and leans by `lean_x` and `lean_y`: the part by which its far side is smaller.
static void view(const struct canvas *to, const struct canvas *from, float angle, float lean_x, float lean_y, float m[8])
{
	float cx = (float)to->width / 2, cy = (float)to->height / 2, k = cosf(angle), s = sinf(angle);
	float p = lean_x / (float)from->width, q = lean_y / (float)from->height, one = 1 - p * cx - q * cy;
	float u0 = (float)from->width / 2, v0 = (float)from->height / 2;
	float all[8] = { k + u0 * p, s + u0 * q, u0 * one - k * cx - s * cy, -s + v0 * p, k + v0 * q, v0 * one + s * cx - k * cy,
			 p,          q };
	for (int i = 0; i < 8; i++)
		m[i] = all[i] / one;
}

int surroundings_place(struct canvas *sheet, const struct look *l, struct rng *rng, struct err *e)
{
	struct canvas picture;
	float m[8];
	bool is_desk = l->layers & LOOK_DESK;
	float angle = uniform(rng, 0.5f, 1) * (canvas_chance(rng, 0.5f) ? -1.0f : 1.0f) * (is_desk ? 0.3f : 0.26f);
	float lean = is_desk ? 0.15f : 0.35f;
	if (!(l->layers & (LOOK_DESK | LOOK_TILT)))
		return 0;
	float larger = is_desk ? uniform(rng, 1.35f, 1.8f) : 1;
	if (canvas_open(&picture, (int)(larger * (float)l->width), (int)(larger * (float)l->height), l->paper, e))
		return -1;
	if (is_desk)
		draw_desk(&picture, l->paper > 128 ? uniform(rng, 35, 115) : uniform(rng, 120, 200), rng);
	view(&picture, sheet, angle, uniform(rng, -lean, lean), uniform(rng, -lean, lean), m);
	canvas_warp(&picture, sheet, m, !is_desk);
	canvas_close(sheet);
	*sheet = picture;
	return 0;
}

// Its edge runs through the shape, and is sharp or a little soft; a second edge makes some a bar, as a window's.
static void draw_shadow(struct canvas *c, const struct look *l, struct rng *rng)
{
	float angle = uniform(rng, 0, 6.2831853f), k = cosf(angle), s = sinf(angle), off = uniform(rng, -0.3f, 0.3f) * l->pen.size;
	float soft = uniform(rng, 1, 5), bar = canvas_chance(rng, 0.3f) ? uniform(rng, 0.4f, 1.5f) * l->pen.size : 1e6f;
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float t = k * ((float)x - l->pen.x) + s * ((float)y - l->pen.y) - off;
			float in = canvas_clamp(t / soft + 0.5f, 0, 1) * canvas_clamp((bar - t) / soft + 0.5f, 0, 1);
			c->grey[y * c->width + x] *= 1 - l->shadow * in;
		}
}

// A lamp's reflection over a part of the shape: white in its middle, where the ink is pale.
static void draw_glare(struct canvas *c, const struct look *l, struct rng *rng)
{
	int n = 1 + (int)rng_below(rng, 2);
	for (int i = 0; i < n; i++) {
		float angle = uniform(rng, 0, 3.1415927f), k = cosf(angle), s = sinf(angle), near = i ? 1.2f : 0.5f;
		float cx = l->pen.x + uniform(rng, -near, near) * l->pen.size,
		      cy = l->pen.y + uniform(rng, -near, near) * l->pen.size;
		float a = uniform(rng, 0.35f, 0.9f) * l->pen.size, b = uniform(rng, 0.15f, 0.5f) * l->pen.size;
		for (int y = 0; y < c->height; y++)
			for (int x = 0; x < c->width; x++) {
				float dx = (float)x - cx, dy = (float)y - cy, u = (k * dx + s * dy) / a, v = (k * dy - s * dx) / b;
				float *grey = &c->grey[y * c->width + x];
				*grey += l->glare * expf(-u * u - v * v) * (255 - *grey);
			}
	}
}

void surroundings_light(struct canvas *c, const struct look *l, struct rng *rng)
{
	float angle = uniform(rng, 0, 6.2831853f), dark = l->layers & LOOK_VIGNETTE ? uniform(rng, 0.5f, 0.8f) : 0;
	float gx = cosf(angle), gy = sinf(angle), reach = fabsf(gx) + fabsf(gy);
	float cx = uniform(rng, -0.15f, 0.15f), cy = uniform(rng, -0.15f, 0.15f);
	float lost = l->layers & LOOK_GRADIENT ? l->gradient : 0;
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float u = (float)x / (float)c->width - 0.5f, v = (float)y / (float)c->height - 0.5f;
			float away = ((u - cx) * (u - cx) + (v - cy) * (v - cy)) * 2;
			float light = 1 - lost * (0.5f + (gx * u + gy * v) / reach);
			c->grey[y * c->width + x] *= light * (1 - dark * canvas_clamp(away, 0, 1));
		}
	if (l->layers & LOOK_SHADOW)
		draw_shadow(c, l, rng);
	if (l->layers & LOOK_GLARE)
		draw_glare(c, l, rng);
}

static void fill(struct canvas *c, float left, float top, float right, float bottom, float level)
{
	for (int y = (int)top; y < c->height && (float)y < bottom; y++)
		for (int x = (int)left; x < c->width && (float)x < right; x++)
			if (x >= 0 && y >= 0)
				c->grey[y * c->width + x] = level;
}

static void draw_frame(struct canvas *c, float width, float level)
{
	float w = (float)c->width, h = (float)c->height;
	fill(c, 0, 0, w, width, level);
	fill(c, 0, h - width, w, h, level);
	fill(c, 0, 0, width, h, level);
	fill(c, w - width, 0, w, h, level);
}

// A bar with a title and three buttons, and an edge of a pixel all round.
static void draw_window(struct canvas *c, struct rng *rng)
{
	float w = (float)c->width, h = (float)c->height, bar = fminf(fmaxf(uniform(rng, 0.06f, 0.1f) * h, 8), 40);
	bool is_dark = canvas_chance(rng, 0.6f);
	float level = is_dark ? uniform(rng, 30, 80) : uniform(rng, 180, 215), text = is_dark ? 220 : 50;
	fill(c, 0, 0, w, bar, level);
	draw_frame(c, 1, is_dark ? level : 120);
	for (int i = 0; i < 3; i++) {
		float x = w - bar * (0.6f + 0.8f * (float)i), y = bar / 2;
		canvas_stroke(c, x, y, x + 0.1f, y, 0.4f * bar);
	}
	for (float x = 0.5f * bar; x < 0.4f * w; x += 0.45f * bar)
		if (canvas_chance(rng, 0.8f))
			canvas_stroke(c, x, 0.35f * bar, x, 0.65f * bar, 0.14f * bar);
	canvas_ink(c, text, 1, 0, 1, 0);
}

void surroundings_border(struct canvas *c, const struct look *l, struct rng *rng)
{
	float w = (float)c->width, h = (float)c->height, part = uniform(rng, 0.1f, 0.24f), other = part * uniform(rng, 0.8f, 1.1f);
	bool is_wide = w > h, is_odd = canvas_chance(rng, 0.25f); // odd: at the other two sides
	float level = canvas_chance(rng, 0.7f) ? 0 : uniform(rng, 5, 30);
	for (int i = 0; l->layers & LOOK_INVERTED && i < c->width * c->height; i++)
		c->grey[i] = 255 - c->grey[i];
	if (l->layers & LOOK_BARS) {
		if (is_wide != is_odd) {
			fill(c, 0, 0, part * w, h, level);
			fill(c, w - other * w, 0, w, h, level);
		} else {
			fill(c, 0, 0, w, part * h, level);
			fill(c, 0, h - other * h, w, h, level);
		}
	}
	if (l->layers & LOOK_FRAME)
		draw_frame(c, 1 + (float)rng_below(rng, 3), uniform(rng, 0, 90));
	if (l->layers & LOOK_WINDOW)
		draw_window(c, rng);
}

// Dark gaps between the display's pixels, whose pitch is not the camera's: the difference shows as wide bands.
void surroundings_screen(struct canvas *c, struct rng *rng)
{
	float pitch = uniform(rng, 2.6f, 5), tilt = uniform(rng, -0.08f, 0.08f), gap = uniform(rng, 0.2f, 0.4f);
	float band = uniform(rng, 25, 90), bend = uniform(rng, 0.0005f, 0.003f), deep = uniform(rng, 0.15f, 0.35f);
	float angle = uniform(rng, 0, 3.14f), k = cosf(angle), s = sinf(angle);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float u = (float)x + tilt * (float)y, v = (float)y - tilt * (float)x;
			float grid = fmaxf(cosf(6.2831853f * u / pitch), cosf(6.2831853f * v / pitch));
			float along = k * u + s * v, across = k * v - s * u;
			float moire = 0.5f + 0.5f * sinf(6.2831853f * (along + bend * across * across) / band);
			float *grey = &c->grey[y * c->width + x];
			*grey = (*grey * 0.9f + 18) * (1 - gap * canvas_clamp(grid, 0, 1)) * (1 - deep * moire);
		}
}
