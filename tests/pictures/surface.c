// What is on a sheet beside the ink: its own structure, print, a drawn box, dirt, and what time took away.
#include "tests/pictures/look.h"

#include <math.h>

static float uniform(struct rng *rng, float low, float high)
{
	return rng_uniform(rng, low, high);
}

// A level between the paper's, 0, and the ink's, 1.
static float towards_ink(const struct look *l, float part)
{
	return l->paper + part * (l->ink - l->paper);
}

static void draw_paper(struct canvas *c, struct rng *rng)
{
	uint32_t seed = rng_next(rng);
	float amount = uniform(rng, 14, 30), spacing = uniform(rng, 1.3f, 3), wave = uniform(rng, 10, 25);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float u = (float)x, v = (float)y;
			float fine = canvas_value_noise(u / spacing, v / spacing, seed) - 0.5f;
			float coarse = canvas_value_noise(u / wave, v / wave, seed + 1) - 0.5f;
			c->grey[y * c->width + x] += amount * (1.3f * fine + 0.8f * coarse);
		}
}

// A plain weave: threads that go over and under, each a little different.
static void draw_cloth(struct canvas *c, struct rng *rng)
{
	uint32_t seed = rng_next(rng);
	float amount = uniform(rng, 18, 38), pitch = uniform(rng, 4, 7), angle = uniform(rng, -0.3f, 0.3f);
	float k = cosf(angle), s = sinf(angle);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float u = (k * (float)x - s * (float)y) / pitch, v = (s * (float)x + k * (float)y) / pitch;
			float a = sinf(6.2831853f * u), b = sinf(6.2831853f * v);
			float thread =
				canvas_value_noise(floorf(u), 0.5f, seed) + canvas_value_noise(0.5f, floorf(v), seed + 1) - 1;
			c->grey[y * c->width + x] += amount * (0.7f * a * b + 0.4f * thread);
		}
}

// One line of what looks like joined writing, mirrored: loops of many heights.
static void write_line(struct canvas *c, float y, float height, float width, struct rng *rng)
{
	enum { BENDS = 14 };
	float x = -uniform(rng, 0, 1) * height, u = x, v = y;
	while (x < (float)c->width) {
		float wide = uniform(rng, 0.25f, 0.6f) * height, high = uniform(rng, 0.35f, 1) * height,
		      lean = uniform(rng, -0.4f, -0.1f);
		float loop = uniform(rng, 0, 0.5f) * wide;
		bool is_gap = canvas_chance(rng, 0.15f);
		for (int i = 1; i <= BENDS; i++) {
			float t = 6.2831853f * (float)i / BENDS, up = high * (1 - cosf(t)) / 2;
			float next_u = x + wide * (float)i / BENDS + loop * sinf(t) + lean * up, next_v = y - up;
			if (!is_gap)
				canvas_stroke(c, u, v, next_u, next_v, width);
			u = next_u, v = next_v;
		}
		x += wide;
	}
}

static void draw_behind(struct canvas *c, const struct look *l, struct rng *rng)
{
	float height = uniform(rng, 0.35f, 0.8f) * l->pen.size, width = fmaxf(1, 0.07f * height);
	for (float y = uniform(rng, 0.5f, 1) * height; y < (float)c->height + height; y += 1.6f * height)
		write_line(c, y, height, width, rng);
	canvas_ink(c, towards_ink(l, uniform(rng, 0.2f, 0.36f)), 1, 0.3f, 0.15f * l->pen.size, rng_next(rng));
}

// Straight lines across the sheet, `gap` apart; is_upright: from top to bottom.
static void rule(struct canvas *c, float gap, float width, float tilt, bool is_upright, struct rng *rng)
{
	float w = (float)c->width, h = (float)c->height, across = is_upright ? w : h;
	for (float at = uniform(rng, -gap, 0) - across * fabsf(tilt); at < across * (1 + fabsf(tilt)); at += gap) {
		if (is_upright)
			canvas_stroke(c, at, -2, at - tilt * h, h + 2, width);
		else
			canvas_stroke(c, -2, at, w + 2, at + tilt * w, width);
	}
}

static void draw_rules(struct canvas *c, const struct look *l, struct rng *rng)
{
	float gap = uniform(rng, 0.35f, 0.95f) * l->pen.size, width = fmaxf(0.9f, uniform(rng, 0.012f, 0.03f) * l->pen.size);
	float tilt = uniform(rng, -0.06f, 0.06f);
	gap = fmaxf(gap, 6);
	rule(c, gap, width, tilt, false, rng);
	if (l->layers & LOOK_SQUARED)
		rule(c, gap, width, tilt, true, rng);
	canvas_ink(c, towards_ink(l, uniform(rng, 0.3f, 0.65f)), 1, 0, 1, 0);
}

// A line down the side, often close to the shape, sometimes through it.
static void draw_margin(struct canvas *c, const struct look *l, struct rng *rng)
{
	float x = l->pen.x + (canvas_chance(rng, 0.8f) ? -1 : 1) * uniform(rng, 0.2f, 0.75f) * l->pen.size;
	float tilt = uniform(rng, -0.05f, 0.05f) * (float)c->height, width = fmaxf(1.2f, uniform(rng, 0.02f, 0.05f) * l->pen.size);
	canvas_stroke(c, x + tilt, -2, x - tilt, (float)c->height + 2, width);
	if (canvas_chance(rng, 0.4f))
		canvas_stroke(c, x + tilt + 4 * width, -2, x - tilt + 4 * width, (float)c->height + 2, width);
	canvas_ink(c, towards_ink(l, uniform(rng, 0.45f, 0.9f)), 1, 0, 1, 0);
}

static void draw_dust(struct canvas *c, struct rng *rng)
{
	uint32_t seed = rng_next(rng);
	float angle = uniform(rng, 0, 3.1415927f), k = cosf(angle), s = sinf(angle), amount = uniform(rng, 25, 55);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float u = k * (float)x + s * (float)y, v = k * (float)y - s * (float)x;
			float smear = canvas_value_noise(u / 90, v / 12, seed) * canvas_value_noise(u / 60, v / 50, seed + 1);
			c->grey[y * c->width + x] += amount * smear + 8 * (canvas_value_noise(u, v, seed + 2) - 0.5f);
		}
}

// The frame of a form's cell lies at the borders of the picture, and its lines run on to the neighbours, of which a little is seen.
static void draw_cell(struct canvas *c, const struct look *l, struct rng *rng)
{
	float w = (float)c->width, h = (float)c->height, shorter = fminf(w, h), tilt = uniform(rng, -0.025f, 0.025f);
	float ends[4];
	for (int side = 0; side < 4; side++) {
		float width = shorter * (canvas_chance(rng, 0.55f) ? uniform(rng, 0.04f, 0.085f) : uniform(rng, 0.012f, 0.025f));
		float in = width / 2 + shorter * (canvas_chance(rng, 0.4f) ? 0 : uniform(rng, 0, 0.09f));
		float at = side == 0 || side == 2 ? in : side == 1 ? w - in : h - in;
		ends[side] = at;
		if (canvas_chance(rng, 0.1f))
			continue;
		if (side < 2)
			canvas_stroke(c, at + tilt * h, -9, at - tilt * h, h + 9, width);
		else
			canvas_stroke(c, -9, at - tilt * w, w + 9, at + tilt * w, width);
	}
	if (canvas_chance(rng, 0.35f)) { // a stroke of the neighbour's, cut by the picture's border
		float x = canvas_chance(rng, 0.5f) ? ends[0] - 0.05f * shorter : ends[1] + 0.05f * shorter,
		      y = uniform(rng, 0.3f, 0.8f) * h;
		canvas_stroke(c, x, y, x, y + uniform(rng, -0.3f, 0.3f) * h, 0.04f * shorter);
	}
	canvas_ink(c, towards_ink(l, uniform(rng, 0.75f, 1.1f)), 1, 0.15f, 2, rng_next(rng));
}

// A side in several bends, as a hand draws it.
static void draw_side(struct canvas *c, float x0, float y0, float x1, float y1, float width, float wobble, struct rng *rng)
{
	enum { BENDS = 5 };
	float u = x0, v = y0;
	for (int i = 1; i <= BENDS; i++) {
		float t = (float)i / BENDS, x = x0 + t * (x1 - x0) + uniform(rng, -wobble, wobble);
		float y = y0 + t * (y1 - y0) + uniform(rng, -wobble, wobble);
		canvas_stroke(c, u, v, x, y, width);
		u = x, v = y;
	}
}

static void draw_box(struct canvas *c, const struct look *l, struct rng *rng)
{
	float size = l->pen.size, width = fmaxf(1, uniform(rng, 0.025f, 0.08f) * size), corners[4][2];
	float over = canvas_chance(rng, 0.5f) ? uniform(rng, 0.05f, 0.25f) : 0;
	for (int i = 0; i < 4; i++) {
		corners[i][0] = l->pen.x + (i == 0 || i == 3 ? -1 : 1) * uniform(rng, 0.6f, 0.85f) * size;
		corners[i][1] = l->pen.y + (i < 2 ? -1 : 1) * uniform(rng, 0.6f, 0.85f) * size;
	}
	for (int i = 0; i < 4; i++) {
		const float *a = corners[i], *b = corners[(i + 1) % 4];
		float dx = over * (b[0] - a[0]), dy = over * (b[1] - a[1]);
		draw_side(c, a[0] - dx, a[1] - dy, b[0] + dx, b[1] + dy, width, 0.02f * size, rng);
	}
	canvas_ink(c, towards_ink(l, uniform(rng, 0.7f, 1)), 1, 0, 1, 0);
}

static void draw_specks(struct canvas *c, const struct look *l, struct rng *rng)
{
	int n = 12 + (int)rng_below(rng, 40);
	for (int i = 0; i < n; i++) {
		float x = uniform(rng, 0, (float)c->width), y = uniform(rng, 0, (float)c->height);
		float r = l->pen.size * (canvas_chance(rng, 0.15f) ? uniform(rng, 0.05f, 0.09f) : uniform(rng, 0.01f, 0.045f));
		float dx = uniform(rng, -1, 1) * r, dy = uniform(rng, -1, 1) * r;
		canvas_stroke(c, x, y, x + dx, y + dy, fmaxf(0.8f, 1.5f * r));
	}
	if (canvas_chance(rng, 0.4f)) { // a hair
		float x = uniform(rng, 0, (float)c->width), y = uniform(rng, 0, (float)c->height), a = uniform(rng, 0, 6.28f);
		for (int i = 0; i < 12; i++) {
			float u = x + 0.06f * l->pen.size * cosf(a), v = y + 0.06f * l->pen.size * sinf(a);
			canvas_stroke(c, x, y, u, v, 0.9f);
			x = u, y = v, a += uniform(rng, -0.5f, 0.5f);
		}
	}
	canvas_ink(c, towards_ink(l, uniform(rng, 0.6f, 1)), 1, 0, 1, 0);
}

void surface_below(struct canvas *c, const struct look *l, struct rng *rng)
{
	if (l->layers & LOOK_PAPER)
		draw_paper(c, rng);
	if (l->layers & LOOK_CLOTH)
		draw_cloth(c, rng);
	if (l->layers & LOOK_BEHIND)
		draw_behind(c, l, rng);
	if (l->layers & (LOOK_RULED | LOOK_SQUARED))
		draw_rules(c, l, rng);
	if (l->layers & LOOK_MARGIN)
		draw_margin(c, l, rng);
	if (l->layers & LOOK_DUST)
		draw_dust(c, rng);
	if (l->layers & LOOK_CELL)
		draw_cell(c, l, rng);
	if (l->layers & LOOK_BOX)
		draw_box(c, l, rng);
	if (l->layers & LOOK_SPECKS)
		draw_specks(c, l, rng);
}

// A thermal printer's head misses rows, the print has faded in patches, and the receipt was folded.
void surface_above(struct canvas *c, const struct look *l, struct rng *rng)
{
	if (!(l->layers & LOOK_FADED))
		return;
	uint32_t seed = rng_next(rng);
	float pitch = uniform(rng, 0.05f, 0.12f) * l->pen.size, fold = uniform(rng, 0, 1) * (float)c->height;
	float fold_tilt = uniform(rng, -0.1f, 0.1f);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float *grey = &c->grey[y * c->width + x], patch = canvas_value_noise((float)x / 30, (float)y / 30, seed);
			float row = canvas_value_noise(0.5f, (float)y / pitch, seed + 1) > 0.72f ? 0.6f : 0;
			*grey += (l->paper - *grey) * canvas_clamp(0.45f * patch + row, 0, 0.75f);
			float off = (float)y - fold - fold_tilt * (float)x;
			*grey -= 22 * expf(-off * off / 3) * (off > 0 ? 1 : -0.6f);
		}
}
