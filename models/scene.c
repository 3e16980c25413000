// A scene is composed in layers of float grey values: a sheet, what is printed on it, the strokes, the surroundings, the light; then
// the camera: blur, noise, 8 bits.
#include "models/scene.h"

#include "core/lenet5.h"
#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct canvas {
	int width, height;
	float *grey; // (height, width): 0 to 255
	struct rng rng;
	float paper, ink; // levels
};

static float uniform(struct canvas *c, float low, float high)
{
	return low + (high - low) * (float)(rng_next(&c->rng) >> 8) / 16777216.0f;
}

static bool chance(struct canvas *c, float p)
{
	return uniform(c, 0, 1) < p;
}

static int pick(struct canvas *c, int n)
{
	return (int)(uniform(c, 0, 1) * (float)n) % n;
}

static float clamp(float v, float low, float high)
{
	return v < low ? low : v > high ? high : v;
}

// Lays `level` over the pixel by `alpha`.
static void put(struct canvas *c, int x, int y, float level, float alpha)
{
	if (x < 0 || y < 0 || x >= c->width || y >= c->height || alpha <= 0)
		return;
	float *p = &c->grey[y * c->width + x];
	*p += (level - *p) * (alpha > 1 ? 1 : alpha);
}

// A straight stroke of the given width, with a soft edge of one pixel.
static void stroke(struct canvas *c, float x0, float y0, float x1, float y1, float width, float level)
{
	float dx = x1 - x0, dy = y1 - y0, length2 = dx * dx + dy * dy, r = width / 2 + 1;
	int left = (int)floorf(fminf(x0, x1) - r), right = (int)ceilf(fmaxf(x0, x1) + r);
	int top = (int)floorf(fminf(y0, y1) - r), bottom = (int)ceilf(fmaxf(y0, y1) + r);
	for (int y = top < 0 ? 0 : top; y <= bottom && y < c->height; y++)
		for (int x = left < 0 ? 0 : left; x <= right && x < c->width; x++) {
			float t = length2 > 0 ? clamp((((float)x - x0) * dx + ((float)y - y0) * dy) / length2, 0, 1) : 0;
			float ex = (float)x - x0 - t * dx, ey = (float)y - y0 - t * dy;
			put(c, x, y, level, width / 2 + 0.5f - sqrtf(ex * ex + ey * ey));
		}
}

static float cubic(float t)
{
	t = fabsf(t);
	return t < 1 ? 1.5f * t * t * t - 2.5f * t * t + 1 : t < 2 ? -0.5f * t * t * t + 2.5f * t * t - 4 * t + 2 : 0;
}

// The picture between its pixels (R. Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981).
static float sample(const uint8_t *pixels, float x, float y)
{
	int x0 = (int)floorf(x), y0 = (int)floorf(y);
	float sum = 0;
	for (int v = y0 - 1; v <= y0 + 2; v++)
		for (int u = x0 - 1; u <= x0 + 2; u++)
			if (u >= 0 && v >= 0 && u < LENET5_SIDE && v < LENET5_SIDE)
				sum += (float)pixels[v * LENET5_SIDE + u] * cubic(x - (float)u) * cubic(y - (float)v);
	return sum;
}

struct placing {
	float x, y; // of its middle
	float size; // of 20 of its pixels
	float threshold; // lower is thicker
	float matrix[4]; // from the canvas to the picture: turn, slant, mirror
};

static struct placing place(struct canvas *c, float x, float y, float size, bool mirrored)
{
	float angle = uniform(c, -0.2f, 0.2f), slant = uniform(c, -0.2f, 0.2f), wide = uniform(c, 0.85f, 1.15f);
	int quarter = mirrored ? 2 * pick(c, 4) + 1 : 0; // turned by quarters, mirrored from 4 on: never another digit
	angle += (float)(quarter % 4) * 1.5707963f;
	float s = sinf(angle), k = cosf(angle), flip = quarter >= 4 ? -1 : 1;
	return (struct placing){
		x, y, size, uniform(c, 0.25f, 0.65f), { flip * (k + slant * s) / wide, flip * (s - slant * k) / wide, -s, k }
	};
}

// Draws a picture of the data set as strokes. box: what its ink covers.
static void draw(struct canvas *c, const uint8_t *pixels, const struct placing *p, float level, struct scene_digit *box)
{
	float scale = LENET5_SIDE * 0.75f / p->size, reach = p->size * 1.1f, soft = clamp(0.6f * scale, 0.12f, 0.5f);
	*box = (struct scene_digit){ -1, (float)c->width, (float)c->height, 0, 0 };
	for (int y = (int)(p->y - reach); y <= p->y + reach; y++)
		for (int x = (int)(p->x - reach); x <= p->x + reach; x++) {
			float dx = ((float)x - p->x) * scale, dy = ((float)y - p->y) * scale;
			float v = sample(pixels, 13.5f + p->matrix[0] * dx + p->matrix[1] * dy,
					 13.5f + p->matrix[2] * dx + p->matrix[3] * dy) /
				  255;
			float alpha = clamp((v - p->threshold) / soft + 0.5f, 0, 1);
			put(c, x, y, level, alpha);
			if (alpha > 0.5f && x >= 0 && y >= 0 && x < c->width && y < c->height) {
				box->left = fminf(box->left, (float)x);
				box->top = fminf(box->top, (float)y);
				box->right = fmaxf(box->right, (float)x + 1);
				box->bottom = fmaxf(box->bottom, (float)y + 1);
			}
		}
}

// What looks like no digit, as strokes on a grid of 0 to 4 by 0 to 6: points of two digits, a space between strokes. Latin letters, Greek
// ones and signs.
static const char *const letters[] = {
	"062046 1333",
	"00060323454506 002044412303",
	"41200204264645",
	"00062644422000",
	"40000646 0333",
	"40000603 33",
	"4020020426454323",
	"0006 4046 0343",
	"0006 0340 0346",
	"000646",
	"0600234046",
	"06004640",
	"0006 003041320203",
	"0006 00304132030346",
	"0040 2026",
	"000516364540",
	"002640",
	"0016223640",
	"0046 4006",
	"00234023 2326",
	"0343 2125",
	"0343 0141 0545",
	"0006 03224246",
	"0322333603",
	"2026 0242",
	"0040464606 0600",
	"2046 0620",
	"2026 0343",
	"00420600",
	"020602132332",
	"10303123 3435",
	"4022460242",
	"46200600",
	"0242 0444 1115 3135",
	"4320110204152642",
	"0006 001031322303 23344516",
	"0022 4026 2226",
	"03122336 40231606",
	"0002 0212233346",
	"0333 1306 3346",
	"1302050616 41",
	"0646 0610 1000",
	"0016 2646 1020",
	"0343 2006 2046",
	"4000 0023 2306 0646",
	"00204133 2006 46",
	"2026 0232 4230",
	"0040 0022 2240 2226",
	"20100204163644423020",
	"0006 0646",
	"0545 1501 3501",
	"301011333426",
	"0002132322 2046",
	"02204206 0446",
};

// The point t of the way from p[1] to p[2] (E. Catmull, R. Rom, A Class of Local Interpolating Splines, 1974).
static float spline(float p0, float p1, float p2, float p3, float t)
{
	return p1 + 0.5f * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)));
}

static void draw_letter(struct canvas *c, float x, float y, float size, float width, float level)
{
	enum { MAX_POINTS = 16, STEPS = 6 };
	const char *p = letters[pick(c, sizeof letters / sizeof letters[0])];
	float angle = uniform(c, -0.25f, 0.25f), s = sinf(angle), k = cosf(angle), wide = uniform(c, 0.6f, 1.2f);
	bool smooth = chance(c, 0.6f);
	while (*p) {
		float points[MAX_POINTS + 2][2];
		int n = 0;
		for (; p[0] && p[0] != ' ' && p[1] && p[1] != ' ' && n < MAX_POINTS; p += 2) {
			float u = ((float)(p[0] - '0') - 2) / 6 * size * wide + uniform(c, -0.04f, 0.04f) * size;
			float v = ((float)(p[1] - '0') - 3) / 6 * size + uniform(c, -0.04f, 0.04f) * size;
			n++;
			points[n][0] = x + k * u - s * v;
			points[n][1] = y + s * u + k * v;
		}
		while (*p && *p++ != ' ')
			;
		if (n == 0)
			continue;
		memcpy(points[0], points[1], sizeof points[0]);
		memcpy(points[n + 1], points[n], sizeof points[0]);
		for (int i = 1; i < n; i++)
			for (int j = 0; j < (smooth ? STEPS : 1); j++) {
				float at[2][2];
				for (int end = 0; end < 2; end++)
					for (int axis = 0; axis < 2; axis++)
						at[end][axis] =
							smooth ? spline(points[i - 1][axis], points[i][axis], points[i + 1][axis],
									points[i + 2][axis], (float)(j + end) / STEPS)
							       : points[i + end][axis];
				stroke(c, at[0][0], at[0][1], at[1][0], at[1][1], width, level);
			}
	}
}

// A wild line of several bends, or a straight one, or a dot.
static void draw_scribble(struct canvas *c, float x, float y, float size, float width, float level)
{
	int n = pick(c, 9);
	float u = x + uniform(c, -0.5f, 0.5f) * size, v = y + uniform(c, -0.5f, 0.5f) * size;
	if (n < 2) {
		bool level_one = n == 1;
		stroke(c, x - size / 2, y, level_one ? x + size / 2 : x - size / 2 + 1, y + uniform(c, -0.2f, 0.2f) * size,
		       level_one ? width : 2 * width, level);
		return;
	}
	float du = uniform(c, -1, 1) * size * 0.1f, dv = uniform(c, -1, 1) * size * 0.1f;
	for (int i = 0; i < 8 * n; i++) {
		float u1 = clamp(u + du, x - size / 2, x + size / 2), v1 = clamp(v + dv, y - size / 2, y + size / 2);
		stroke(c, u, v, u1, v1, width, level);
		u = u1, v = v1;
		du = 0.75f * du + uniform(c, -1, 1) * size * 0.09f;
		dv = 0.75f * dv + uniform(c, -1, 1) * size * 0.09f;
	}
}

static void draw_frame(struct canvas *c, float left, float top, float right, float bottom, float width, float level)
{
	float wobble = 0.03f * (right - left), over = chance(c, 0.4f) ? uniform(c, 0, 0.4f) * (right - left) : 0;
	float w[8];
	for (int i = 0; i < 8; i++)
		w[i] = uniform(c, -wobble, wobble);
	stroke(c, left - over, top + w[0], right + over, top + w[1], width, level);
	stroke(c, left - over, bottom + w[2], right + over, bottom + w[3], width * uniform(c, 0.5f, 1.5f), level);
	stroke(c, left + w[4], top - over, left + w[5], bottom + over, width, level);
	stroke(c, right + w[6], top - over, right + w[7], bottom + over, width * uniform(c, 0.5f, 1.5f), level);
}

static void draw_rules(struct canvas *c, float size)
{
	float gap = uniform(c, 0.2f, 1.3f) * size, width = uniform(c, 0.6f, 2.5f), tilt = uniform(c, -0.06f, 0.06f);
	float level = c->paper + (c->ink - c->paper) * uniform(c, 0.2f, 1);
	bool squared = chance(c, 0.35f), margin = chance(c, 0.2f);
	if (gap < 5)
		gap = 5;
	for (float y = uniform(c, 0, gap); y < (float)c->height + 20; y += gap)
		stroke(c, 0, y, (float)c->width, y + tilt * (float)c->width, width, level);
	for (float x = uniform(c, 0, gap); squared && x < (float)c->width + 20; x += gap)
		stroke(c, x, 0, x - tilt * (float)c->height, (float)c->height, width, level);
	if (margin) {
		float x = uniform(c, 0, 0.3f) * (float)c->width;
		stroke(c, x, 0, x - tilt * (float)c->height, (float)c->height, width * 1.5f, level);
	}
}

static void light(struct canvas *c)
{
	float gx = 0, gy = 0, vignette = 0, shade = 1, edge = 0, angle = uniform(c, 0, 6.2831853f);
	float amount = chance(c, 0.6f) ? uniform(c, 0, 0.5f) : 0;
	gx = amount * cosf(angle), gy = amount * sinf(angle);
	if (chance(c, 0.3f))
		vignette = uniform(c, 0, 0.5f);
	if (chance(c, 0.1f))
		shade = uniform(c, 0.5f, 0.9f), edge = uniform(c, -0.5f, 0.5f);
	float sx = cosf(angle * 3), sy = sinf(angle * 3);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float u = (float)x / (float)c->width - 0.5f, v = (float)y / (float)c->height - 0.5f;
			float l = 1 + gx * u + gy * v - vignette * (u * u + v * v);
			if (shade < 1)
				l *= 1 - (1 - shade) * clamp((sx * u + sy * v - edge) * 20, 0, 1);
			c->grey[y * c->width + x] *= l;
		}
}

static void surround(struct canvas *c, float margin)
{
	float level = c->paper < 128 ? uniform(c, 120, 255) : uniform(c, 0, 90), grain = uniform(c, 0, 8);
	float l = uniform(c, 0.02f, margin), r = uniform(c, 0.02f, margin), t = uniform(c, 0.02f, margin),
	      b = uniform(c, 0.02f, margin);
	int kind = pick(c, 3); // all round, left and right, above and below
	float tilt = kind ? 0 : uniform(c, -0.08f, 0.08f);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float u = (float)x / (float)c->width, v = (float)y / (float)c->height;
			float a = u + tilt * (v - 0.5f), w = v - tilt * (u - 0.5f);
			bool out = (kind != 2 && (a < l || a > 1 - r)) || (kind != 1 && (w < t || w > 1 - b));
			if (out)
				c->grey[y * c->width + x] = level + grain * sinf(0.3f * (float)y + 3 * u);
		}
}

// Three box means are nearly a Gaussian.
static int blur(struct canvas *c, float sigma, struct err *e)
{
	int r = (int)(sigma + 0.5f);
	float *line = malloc((size_t)(c->width > c->height ? c->width : c->height) * sizeof *line);
	if (!line)
		return err_set(e, "no memory for a scene");
	for (int round = 0; round < 4; round++) {
		bool rows = round % 2 == 0;
		int n = rows ? c->width : c->height, m = rows ? c->height : c->width, step = rows ? 1 : c->width,
		    across = rows ? c->width : 1;
		for (int j = 0; j < m; j++) {
			float *at = c->grey + j * across, sum = 0;
			for (int i = -r; i <= r; i++)
				sum += at[(i < 0 ? 0 : i >= n ? n - 1 : i) * step];
			for (int i = 0; i < n; i++) {
				line[i] = sum / (float)(2 * r + 1);
				int in = i + r + 1 < n ? i + r + 1 : n - 1, out = i - r > 0 ? i - r : 0;
				sum += at[in * step] - at[out * step];
			}
			for (int i = 0; i < n; i++)
				at[i * step] = line[i];
		}
	}
	free(line);
	return 0;
}

static int expose(struct canvas *c, struct scene *scene, struct err *e)
{
	size_t n = (size_t)c->width * (size_t)c->height;
	float noise = chance(c, 0.6f) ? uniform(c, 0, 6) : 0;
	if (chance(c, 0.4f) && blur(c, uniform(c, 0.5f, 2.5f), e))
		return -1;
	scene->image = (struct image){ c->width, c->height, malloc(n) };
	if (!scene->image.pixels)
		return err_set(e, "no memory for a scene");
	for (size_t i = 0; i < n; i++) {
		float v = c->grey[i];
		if (noise > 0)
			v += noise * (uniform(c, -1, 1) + uniform(c, -1, 1) + uniform(c, -1, 1));
		scene->image.pixels[i] = (uint8_t)clamp(v + 0.5f, 0, 255);
	}
	return 0;
}

static const uint8_t *picture(const struct idx *data, uint32_t i)
{
	return data->pixels + (size_t)(i % data->n) * LENET5_PIXELS;
}

static void draw_content(struct canvas *c, const struct idx *data, uint32_t i, float x, float y, float size, struct scene *scene)
{
	float width = size * uniform(c, 0.04f, 0.16f);
	int kind = pick(c, 20);
	struct scene_digit box;
	if (kind < 13 || kind == 19) {
		int n = kind < 13 ? 1 : 2 + pick(c, 2);
		for (int k = 0; k < n; k++) {
			uint32_t which = k == 0 ? i : i + 1 + (uint32_t)pick(c, 10000);
			struct placing p = place(c, x + (float)k * size * uniform(c, 0.7f, 1.1f), y, size, false);
			draw(c, picture(data, which), &p, c->ink, &box);
			box.digit = data->labels[which % data->n];
			scene->digits[scene->n_digits++] = box;
		}
		return;
	}
	if (kind < 15) { // a digit turned or mirrored, of which none is left
		static const int odd[] = { 3, 4, 7 };
		uint32_t which = i;
		while (true) {
			int label = data->labels[which % data->n];
			bool is = false;
			for (int k = 0; k < 3; k++)
				is |= label == odd[k];
			if (is)
				break;
			which++;
		}
		struct placing p = place(c, x, y, size, true);
		draw(c, picture(data, which), &p, c->ink, &box);
	} else if (kind < 18) {
		int n = chance(c, 0.7f) ? 1 : 2 + pick(c, 3);
		for (int k = 0; k < n; k++)
			draw_letter(c, x + (float)k * size * 0.8f, y, size, width, c->ink);
	} else {
		draw_scribble(c, x, y, size, width, c->ink);
	}
}

int scene_compose(const struct idx *data, uint32_t seed, uint32_t i, struct scene *scene, struct err *e)
{
	struct canvas c = { 0 };
	rng_init_stream(&c.rng, seed, 0x5ce00000ULL + i);
	float size = expf(uniform(&c, logf(14), logf(110))); // of a digit, in pixels
	bool cell = chance(&c, 0.25f);
	float around = cell ? uniform(&c, 1.2f, 2) : uniform(&c, 1.3f, 6);
	if (around * size > 400)
		around = 400 / size < 1.3f ? 1.3f : 400 / size;
	c.width = (int)(around * size * uniform(&c, 0.8f, 1.4f));
	c.height = (int)(around * size * uniform(&c, 0.8f, 1.4f));
	c.paper = uniform(&c, 140, 255);
	c.ink = c.paper - uniform(&c, 40, c.paper);
	if (chance(&c, 0.2f)) {
		c.paper = 255 - c.paper;
		c.ink = 255 - c.ink;
	}
	size_t n = (size_t)c.width * (size_t)c.height;
	c.grey = malloc(n * sizeof *c.grey);
	if (!c.grey)
		return err_set(e, "no memory for a scene");
	for (size_t k = 0; k < n; k++)
		c.grey[k] = c.paper;
	*scene = (struct scene){ 0 };
	float spread = cell ? 0.1f : 0.5f - 0.55f * size / (float)(c.width < c.height ? c.width : c.height);
	float x = (float)c.width * (0.5f + uniform(&c, -spread, spread)),
	      y = (float)c.height * (0.5f + uniform(&c, -spread, spread));
	if (chance(&c, 0.2f))
		draw_rules(&c, size);
	if (cell || chance(&c, 0.12f)) {
		float gap = cell ? uniform(&c, 0.5f, 0.8f) * size : uniform(&c, 0.65f, 1.2f) * size;
		float level = chance(&c, 0.5f) ? c.ink : c.paper + (c.ink - c.paper) * uniform(&c, 0.3f, 1.1f);
		draw_frame(&c, x - gap, y - gap, x + gap, y + gap, uniform(&c, 0.01f, 0.1f) * size + 0.5f, level);
	}
	draw_content(&c, data, i, x, y, size, scene);
	if (!cell && chance(&c, 0.2f) && spread > 0.1f)
		surround(&c, 0.5f - spread < 0.2f ? 0.5f - spread : 0.2f);
	light(&c);
	int status = expose(&c, scene, e);
	free(c.grey);
	return status;
}
