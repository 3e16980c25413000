// What is drawn: digits of a data set, letters, figures, scribbles.
#include "models/drawing.h"

#include "core/lenet5.h"

#include <math.h>
#include <string.h>

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

static struct placing place(struct drawing *c, float x, float y, float size, bool mirrored)
{
	float angle = drawing_uniform(c, -0.2f, 0.2f), slant = drawing_uniform(c, -0.2f, 0.2f),
	      wide = drawing_uniform(c, 0.85f, 1.15f);
	int quarter = mirrored ? 2 * drawing_pick(c, 4) + 1 : 0; // turned by quarters, mirrored from 4 on: never another digit
	angle += (float)(quarter % 4) * 1.5707963f;
	float s = sinf(angle), k = cosf(angle), flip = quarter >= 4 ? -1 : 1;
	return (struct placing){
		x, y, size, drawing_uniform(c, 0.22f, 0.7f), { flip * (k + slant * s) / wide, flip * (s - slant * k) / wide, -s, k }
	};
}

struct drawing_box drawing_digit(struct drawing *c, const uint8_t *pixels, float cx, float cy, float size, bool mirrored,
				 float level)
{
	struct placing p = place(c, cx, cy, size, mirrored);
	float scale = LENET5_SIDE * 0.75f / p.size, reach = p.size * 1.1f, soft = drawing_clamp(0.6f * scale, 0.12f, 0.5f);
	struct drawing_box box = { (float)c->width, (float)c->height, 0, 0 };
	for (int y = (int)(p.y - reach); y <= p.y + reach; y++)
		for (int x = (int)(p.x - reach); x <= p.x + reach; x++) {
			float dx = ((float)x - p.x) * scale, dy = ((float)y - p.y) * scale;
			float v = sample(pixels, 13.5f + p.matrix[0] * dx + p.matrix[1] * dy,
					 13.5f + p.matrix[2] * dx + p.matrix[3] * dy) /
				  255;
			float alpha = drawing_clamp((v - p.threshold) / soft + 0.5f, 0, 1);
			drawing_put(c, x, y, level, alpha);
			if (alpha > 0.5f && x >= 0 && y >= 0 && x < c->width && y < c->height) {
				box.left = fminf(box.left, (float)x);
				box.top = fminf(box.top, (float)y);
				box.right = fmaxf(box.right, (float)x + 1);
				box.bottom = fmaxf(box.bottom, (float)y + 1);
			}
		}
	return box;
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
	"0006 0646",
	"0545 1501 3501",
	"0002132322 2046",
	"02204206 0446",
	"0011233526152340",
	"0004 0211203133 3346",
	"2011030516264544322120 2040",
	"00114546 4006",
	"0312324346 44140516364544",
	"4046 432203052645",
	"0205163645 4246",
	"0206 03224346",
	"0206 03122326 23324346",
	"0006 03224346",
	"0206 04122242",
	"04443212031405163645",
	"0006 4203 1446",
	"0246 4206",
	"0224 4206",
	"2015263645 0242",
	"40302126 0242",
	"2026 0046 4006",
	"00064640 2026",
	"4046 401001123243 2306",
	"22030526454322 2242",
	"0603224344250504",
	"060040",
	"0206 0205163645 4246",
	"1046 2306",
	"06004046",
	"0616 1504021030414435 3646",
	"0002142434424000 2026",
	"30101636",
	"10303616",
	"30212203242536",
	"41200123452605 2026",
	"41302126 0646 0333",
	"1016 3036 0242 0444",
	"33231424344442301001051646",
	"4006 0010110100 3545463635",
	"0026 2640 1333",
	"0040 2026 0646",
	"03200343 2620",
	"41300102 1434452606 0043",
};

// The point t of the way from p[1] to p[2] (E. Catmull, R. Rom, A Class of Local Interpolating Splines, 1974).
static float spline(float p0, float p1, float p2, float p3, float t)
{
	return p1 + 0.5f * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)));
}

enum { MAX_INVENTED = 64 };

// A sign that nobody uses, of two to four strokes; most begin where another has a point.
static const char *invent(struct drawing *c, char text[MAX_INVENTED])
{
	int n = 0, n_strokes = 2 + drawing_pick(c, 3);
	for (int i = 0; i < n_strokes; i++) {
		int first = n, n_points = 2 + drawing_pick(c, 3);
		for (int k = 0; k < n_points; k++) {
			char column = (char)('0' + drawing_pick(c, 5)), row = (char)('0' + drawing_pick(c, 7));
			int other = 2 * drawing_pick(c, n / 2 + 1);
			bool joined = k == 0 && i > 0 && drawing_chance(c, 0.7f) && other < n && text[other] != ' ' &&
				      text[other + 1] != ' ';
			text[n] = joined ? text[other] : column;
			text[n + 1] = joined ? text[other + 1] : row;
			n += 2;
		}
		if (n_points > 2 && drawing_chance(c, 0.25f)) { // closed
			text[n++] = text[first];
			text[n++] = text[first + 1];
		}
		text[n++] = ' ';
	}
	text[n] = 0;
	return text;
}

// How a pen draws: a broad nib is wider across its edge than along it, and type has serifs.
struct pen {
	float width, level;
	float contrast, edge; // the share that the width varies by, and the nib's direction
	float serif; // length, or 0
};

static struct pen take_pen(struct drawing *c, float size, float width, float level)
{
	bool broad = drawing_chance(c, 0.4f), serifs = drawing_chance(c, 0.25f);
	return (struct pen){ width, level, broad ? drawing_uniform(c, 0.2f, 0.6f) : 0, drawing_uniform(c, 0, 3.1415927f),
			     serifs ? drawing_uniform(c, 0.15f, 0.3f) * size : 0 };
}

static void pen_stroke(struct drawing *c, const struct pen *pen, const float from[2], const float to[2])
{
	float across = atan2f(to[1] - from[1], to[0] - from[0]) - pen->edge;
	drawing_stroke(c, from[0], from[1], to[0], to[1], pen->width * (1 - pen->contrast * cosf(2 * across)), pen->level);
}

static void pen_serif(struct drawing *c, const struct pen *pen, const float at[2], float s, float k)
{
	float half = pen->serif / 2;
	drawing_stroke(c, at[0] - k * half, at[1] - s * half, at[0] + k * half, at[1] + s * half, 0.6f * pen->width, pen->level);
}

void drawing_letter(struct drawing *c, float x, float y, float size, float width, float level)
{
	enum { MAX_POINTS = 16, STEPS = 6 };
	char invented[MAX_INVENTED];
	const char *p =
		drawing_chance(c, 0.4f) ? invent(c, invented) : letters[drawing_pick(c, sizeof letters / sizeof letters[0])];
	float angle = drawing_uniform(c, -0.25f, 0.25f), s = sinf(angle), k = cosf(angle), wide = drawing_uniform(c, 0.6f, 1.2f);
	bool smooth = drawing_chance(c, 0.7f);
	float bend = drawing_uniform(c, 0, 0.1f);
	const struct pen pen = take_pen(c, size, width, level);
	while (*p) {
		float points[MAX_POINTS + 2][2];
		int n = 0;
		for (; p[0] && p[0] != ' ' && p[1] && p[1] != ' ' && n < MAX_POINTS; p += 2) {
			float u = ((float)(p[0] - '0') - 2) / 6 * size * wide + drawing_uniform(c, -bend, bend) * size;
			float v = ((float)(p[1] - '0') - 3) / 6 * size + drawing_uniform(c, -bend, bend) * size;
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
				pen_stroke(c, &pen, at[0], at[1]);
			}
		if (pen.serif > 0) {
			pen_serif(c, &pen, points[1], s, k);
			pen_serif(c, &pen, points[n], s, k);
		}
	}
}

// The corners of a polygon about (x, y), as far apart as a hand draws them.
static int polygon(struct drawing *c, float x, float y, float size, float corners[5][2])
{
	int n = 3 + drawing_pick(c, 3);
	float turn = drawing_uniform(c, 0, 6.2831853f), wide = drawing_uniform(c, 0.6f, 1.4f), bend = drawing_uniform(c, 0, 0.12f);
	bool star = n == 5; // a pentagon in a hurry is a 0
	for (int i = 0; i < n; i++) {
		float angle = turn + 6.2831853f * (float)(star ? 2 * i : i) / (float)n;
		corners[i][0] = x + size / 2 * (wide * cosf(angle) + drawing_uniform(c, -bend, bend));
		corners[i][1] = y + size / 2 * (sinf(angle) + drawing_uniform(c, -bend, bend));
	}
	return n;
}

void drawing_figure(struct drawing *c, float x, float y, float size, float width, float level)
{
	float corners[5][2];
	int kind = drawing_pick(c, 8);
	if (kind < 2) { // a dot or blot
		drawing_stroke(c, x, y, x + size * drawing_uniform(c, -0.3f, 0.3f), y + size * drawing_uniform(c, -0.15f, 0.15f),
			       size * drawing_uniform(c, 0.4f, 1), level);
		return;
	}
	int n = polygon(c, x, y, size, corners);
	for (int i = 0; i < n; i++) {
		const float *a = corners[i], *b = corners[(i + 1) % n];
		drawing_stroke(c, a[0], a[1], b[0], b[1], width, level);
		if (kind == 2) // filled
			for (float t = 0.1f; t < 1; t += 0.05f)
				drawing_stroke(c, x + t * (a[0] - x), y + t * (a[1] - y), x + t * (b[0] - x), y + t * (b[1] - y),
					       0.06f * size, level);
	}
	if (kind == 3) { // with a line through it
		const float *a = corners[drawing_pick(c, n)], *b = corners[drawing_pick(c, n)];
		drawing_stroke(c, a[0], a[1], b[0], b[1], width, level);
	}
}

void drawing_scribble(struct drawing *c, float x, float y, float size, float width, float level)
{
	int n = drawing_pick(c, 9);
	float u = x + drawing_uniform(c, -0.5f, 0.5f) * size, v = y + drawing_uniform(c, -0.5f, 0.5f) * size;
	if (n < 2) {
		bool level_one = n == 1;
		drawing_stroke(c, x - size / 2, y, level_one ? x + size / 2 : x - size / 2 + 1,
			       y + drawing_uniform(c, -0.2f, 0.2f) * size, level_one ? width : 2 * width, level);
		return;
	}
	float du = drawing_uniform(c, -1, 1) * size * 0.1f, dv = drawing_uniform(c, -1, 1) * size * 0.1f;
	for (int i = 0; i < 8 * n; i++) {
		float u1 = drawing_clamp(u + du, x - size / 2, x + size / 2),
		      v1 = drawing_clamp(v + dv, y - size / 2, y + size / 2);
		drawing_stroke(c, u, v, u1, v1, width, level);
		u = u1, v = v1;
		du = 0.75f * du + drawing_uniform(c, -1, 1) * size * 0.09f;
		dv = 0.75f * dv + drawing_uniform(c, -1, 1) * size * 0.09f;
	}
}
