// A scene is composed in layers of float grey values: a sheet, what is printed on it, the strokes, the surroundings, the light; then
// the camera: blur, noise, 8 bits.
#include "models/scene.h"

#include "models/scene_camera.h"
#include "models/drawing.h"

#include "core/lenet5.h"

#include <math.h>
#include <stdlib.h>

static void draw_frame(struct drawing *c, float left, float top, float right, float bottom, float width, float level)
{
	float wobble = 0.03f * (right - left), over = drawing_chance(c, 0.4f) ? drawing_uniform(c, 0, 0.4f) * (right - left) : 0;
	float w[8];
	for (int i = 0; i < 8; i++)
		w[i] = drawing_uniform(c, -wobble, wobble);
	drawing_stroke(c, left - over, top + w[0], right + over, top + w[1], width, level);
	drawing_stroke(c, left - over, bottom + w[2], right + over, bottom + w[3], width * drawing_uniform(c, 0.5f, 1.5f), level);
	drawing_stroke(c, left + w[4], top - over, left + w[5], bottom + over, width, level);
	drawing_stroke(c, right + w[6], top - over, right + w[7], bottom + over, width * drawing_uniform(c, 0.5f, 1.5f), level);
}

static void draw_rules(struct drawing *c, float size)
{
	float gap = drawing_uniform(c, 0.2f, 1.3f) * size, width = drawing_uniform(c, 0.6f, 2.5f),
	      tilt = drawing_uniform(c, -0.06f, 0.06f);
	float level = c->paper + (c->ink - c->paper) * drawing_uniform(c, 0.2f, 1);
	bool squared = drawing_chance(c, 0.35f), margin = drawing_chance(c, 0.2f);
	if (gap < 5)
		gap = 5;
	for (float y = drawing_uniform(c, 0, gap); y < (float)c->height + 20; y += gap)
		drawing_stroke(c, 0, y, (float)c->width, y + tilt * (float)c->width, width, level);
	for (float x = drawing_uniform(c, 0, gap); squared && x < (float)c->width + 20; x += gap)
		drawing_stroke(c, x, 0, x - tilt * (float)c->height, (float)c->height, width, level);
	if (margin) {
		float x = drawing_uniform(c, 0, 0.3f) * (float)c->width;
		drawing_stroke(c, x, 0, x - tilt * (float)c->height, (float)c->height, width * 1.5f, level);
	}
}

static void surround(struct drawing *c, float margin)
{
	float level = c->paper < 128 ? drawing_uniform(c, 120, 255) : drawing_uniform(c, 0, 90), grain = drawing_uniform(c, 0, 8);
	float l = drawing_uniform(c, 0.02f, margin), r = drawing_uniform(c, 0.02f, margin), t = drawing_uniform(c, 0.02f, margin),
	      b = drawing_uniform(c, 0.02f, margin);
	int kind = drawing_pick(c, 3); // all round, left and right, above and below
	float tilt = kind ? 0 : drawing_uniform(c, -0.08f, 0.08f);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float u = (float)x / (float)c->width, v = (float)y / (float)c->height;
			float a = u + tilt * (v - 0.5f), w = v - tilt * (u - 0.5f);
			bool out = (kind != 2 && (a < l || a > 1 - r)) || (kind != 1 && (w < t || w > 1 - b));
			if (out)
				c->grey[y * c->width + x] = level + grain * sinf(0.3f * (float)y + 3 * u);
		}
}

static const uint8_t *picture(const struct idx *data, uint32_t i)
{
	return data->pixels + (size_t)(i % data->n) * LENET5_PIXELS;
}

// A 3, 4 or 7 turned by quarters or mirrored: never another digit.
static const uint8_t *picture_of_odd(const struct idx *data, uint32_t i)
{
	while (true) {
		int label = data->labels[i % data->n];
		if (label == 3 || label == 4 || label == 7)
			return picture(data, i);
		i++;
	}
}

// Writing on the back of the sheet, seen through it.
static void draw_back(struct drawing *c, const struct idx *data, float size)
{
	float level = c->paper + (c->ink - c->paper) * drawing_uniform(c, 0.05f, 0.3f);
	for (int n = 1 + drawing_pick(c, 5); n > 0; n--)
		drawing_digit(c, picture_of_odd(data, (uint32_t)drawing_pick(c, 10000)), drawing_uniform(c, 0, 1) * (float)c->width,
			      drawing_uniform(c, 0, 1) * (float)c->height, size * drawing_uniform(c, 0.5f, 1.2f), true, level);
}

// Crumbs and hairs.
static void draw_dirt(struct drawing *c, float size)
{
	float level = c->paper + (c->ink - c->paper) * drawing_uniform(c, 0.3f, 1);
	for (int n = drawing_pick(c, 50); n > 0; n--) {
		float x = drawing_uniform(c, 0, 1) * (float)c->width, y = drawing_uniform(c, 0, 1) * (float)c->height,
		      r = size * drawing_uniform(c, 0.01f, 0.12f);
		drawing_stroke(c, x, y, x + r * drawing_uniform(c, -1, 1), y + r * drawing_uniform(c, -1, 1), r, level);
	}
	for (int n = drawing_pick(c, 3); n > 0; n--)
		drawing_scribble(c, drawing_uniform(c, 0, 1) * (float)c->width, drawing_uniform(c, 0, 1) * (float)c->height, size,
				 drawing_uniform(c, 0.5f, 1.5f), level);
}

// Coarse paper or cloth: smooth bumps, which are interpolated between random values.
static void draw_texture(struct drawing *c)
{
	enum { SIDE = 64 };
	float bumps[SIDE][SIDE], cell = drawing_uniform(c, 1.5f, 14), depth = drawing_uniform(c, 4, 35);
	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++)
			bumps[y][x] = drawing_uniform(c, -1, 1);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float u = (float)x / cell, v = (float)y / cell, s = u - floorf(u), t = v - floorf(v);
			int i = (int)u % SIDE, j = (int)v % SIDE, i1 = (i + 1) % SIDE, j1 = (j + 1) % SIDE;
			c->grey[y * c->width + x] += depth * ((1 - t) * ((1 - s) * bumps[j][i] + s * bumps[j][i1]) +
							      t * ((1 - s) * bumps[j1][i] + s * bumps[j1][i1]));
		}
}

static void draw_content(struct drawing *c, const struct idx *data, uint32_t i, float x, float y, float size, struct scene *scene)
{
	float width = size * drawing_uniform(c, 0.04f, 0.16f);
	int kind = drawing_pick(c, 25);
	if (kind < 17) {
		int n = kind < 15 ? 1 : 2 + drawing_pick(c, 2);
		for (int k = 0; k < n; k++) {
			uint32_t which = k == 0 ? i : i + 1 + (uint32_t)drawing_pick(c, 10000);
			float at = x + (float)k * size * drawing_uniform(c, 0.7f, 1.1f);
			struct drawing_box box = drawing_digit(c, picture(data, which), at, y, size, false, c->ink);
			if (box.left < box.right) // it may lie outside
				scene->digits[scene->n_digits++] = (struct scene_digit){ data->labels[which % data->n], box.left,
											 box.top, box.right, box.bottom };
		}
	} else if (kind < 19) {
		drawing_digit(c, picture_of_odd(data, i), x, y, size, true, c->ink);
	} else if (kind < 22) {
		int n = drawing_chance(c, 0.7f) ? 1 : 2 + drawing_pick(c, 3);
		for (int k = 0; k < n; k++)
			drawing_letter(c, x + (float)k * size * 0.8f, y, size, width, c->ink);
	} else if (kind == 22) {
		drawing_scribble(c, x, y, size, width, c->ink);
	} else if (kind == 23) {
		drawing_figure(c, x, y, size, width, c->ink);
	} // else the sheet is empty
}

static void draw_digit_beside(struct drawing *c, const struct idx *data, float x, float y, float size)
{
	const uint8_t *which = picture(data, (uint32_t)drawing_pick(c, (int)data->n));
	drawing_digit(c, which, x, y, size, false, c->ink);
}

// Squares of random grey, or only of ink and paper.
static void draw_noise(struct drawing *c, float size)
{
	enum { SIDE = 96 };
	float cell = expf(drawing_uniform(c, 0, logf(0.3f * size))), values[SIDE];
	bool two = drawing_chance(c, 0.5f);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			int column = (int)((float)x / cell) % SIDE;
			if (x == 0 && (y == 0 || (int)((float)y / cell) != (int)((float)(y - 1) / cell)))
				for (int i = 0; i < SIDE; i++)
					values[i] = two ? (float)drawing_pick(c, 2) : drawing_uniform(c, 0, 1);
			c->grey[y * c->width + x] = c->paper + (c->ink - c->paper) * values[column];
		}
}

static void draw_outlier(struct drawing *c, const struct idx *data, float x, float y, float size)
{
	float width = size * drawing_uniform(c, 0.04f, 0.22f);
	int kind = drawing_pick(c, 21);
	if (kind < 11) {
		drawing_letter(c, x, y, size, width, c->ink);
	} else if (kind < 14) {
		drawing_figure(c, x, y, size, width, c->ink);
	} else if (kind < 16) {
		drawing_scribble(c, x, y, size, width, c->ink);
	} else if (kind < 18) {
		drawing_digit(c, picture_of_odd(data, (uint32_t)drawing_pick(c, (int)data->n)), x, y, size, true, c->ink);
	} else if (kind == 18) { // two digits that touch
		float half = size * drawing_uniform(c, 0.2f, 0.4f);
		draw_digit_beside(c, data, x - half, y, size);
		draw_digit_beside(c, data, x + half, y, size);
	} else if (kind == 19) {
		draw_noise(c, size);
	} else { // two letters
		float half = size * drawing_uniform(c, 0.25f, 0.4f);
		drawing_letter(c, x - half, y, size, width, c->ink);
		drawing_letter(c, x + half, y, size, width, c->ink);
	}
}

// An empty sheet of the drawing's size and paper.
static int lay_sheet(struct drawing *c, struct err *e)
{
	size_t n = (size_t)c->width * (size_t)c->height;
	c->grey = malloc(n * sizeof *c->grey);
	if (!c->grey)
		return err_set(e, "no memory for a scene");
	for (size_t i = 0; i < n; i++)
		c->grey[i] = c->paper;
	return 0;
}

int scene_compose_outlier(const struct idx *data, uint32_t seed, uint32_t i, struct scene *scene, struct err *e)
{
	struct drawing c = { 0 };
	rng_init_stream(&c.rng, seed, 0x0d000000ULL << 8 | i);
	float size = expf(drawing_uniform(&c, logf(12), logf(48)));
	c.width = c.height = (int)(drawing_uniform(&c, 1.4f, 1.9f) * size);
	c.paper = drawing_uniform(&c, 180, 255);
	c.ink = c.paper - drawing_uniform(&c, 90, c.paper);
	if (lay_sheet(&c, e))
		return -1;
	*scene = (struct scene){ 0 };
	draw_outlier(&c, data, (float)c.width / 2, (float)c.height / 2, size);
	int status = scene_camera_expose(&c, &scene->image, e);
	free(c.grey);
	return status;
}

int scene_compose(const struct idx *data, uint32_t seed, uint32_t i, struct scene *scene, struct err *e)
{
	struct drawing c = { 0 };
	rng_init_stream(&c.rng, seed, 0x5ce00000ULL + i);
	float size = expf(drawing_uniform(&c, logf(9), logf(110))); // of a digit, in pixels
	bool cell = drawing_chance(&c, 0.25f);
	float around = cell ? drawing_uniform(&c, 1.2f, 2) : drawing_uniform(&c, 1.3f, 6);
	if (around * size > 400)
		around = 400 / size < 1.3f ? 1.3f : 400 / size;
	c.width = (int)(around * size * drawing_uniform(&c, 0.8f, 1.4f));
	c.height = (int)(around * size * drawing_uniform(&c, 0.8f, 1.4f));
	c.paper = drawing_uniform(&c, 140, 255);
	c.ink = c.paper - drawing_uniform(&c, 40, c.paper);
	if (drawing_chance(&c, 0.2f)) {
		c.paper = 255 - c.paper;
		c.ink = 255 - c.ink;
	}
	if (lay_sheet(&c, e))
		return -1;
	*scene = (struct scene){ .is_light = c.ink > c.paper };
	float spread = cell ? 0.1f : 0.5f - 0.55f * size / (float)(c.width < c.height ? c.width : c.height);
	float x = (float)c.width * (0.5f + drawing_uniform(&c, -spread, spread)),
	      y = (float)c.height * (0.5f + drawing_uniform(&c, -spread, spread));
	if (drawing_chance(&c, 0.1f))
		draw_back(&c, data, size);
	if (drawing_chance(&c, 0.2f))
		draw_rules(&c, size);
	if (cell || drawing_chance(&c, 0.12f)) {
		float gap = cell ? drawing_uniform(&c, 0.5f, 0.8f) * size : drawing_uniform(&c, 0.65f, 1.2f) * size;
		float level = drawing_chance(&c, 0.5f) ? c.ink : c.paper + (c.ink - c.paper) * drawing_uniform(&c, 0.3f, 1.1f);
		draw_frame(&c, x - gap, y - gap, x + gap, y + gap, drawing_uniform(&c, 0.01f, 0.1f) * size + 0.5f, level);
	}
	draw_content(&c, data, i, x, y, size, scene);
	if (drawing_chance(&c, 0.1f))
		draw_dirt(&c, size);
	if (drawing_chance(&c, 0.12f))
		draw_texture(&c);
	if (!cell && drawing_chance(&c, 0.2f) && spread > 0.1f)
		surround(&c, 0.5f - spread < 0.2f ? 0.5f - spread : 0.2f);
	scene_camera_light(&c);
	int status = scene_camera_expose(&c, &scene->image, e);
	free(c.grey);
	return status;
}
