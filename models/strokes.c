// What is drawn: digits of a data set, letters, scribbles.
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
	return (struct placing){ x,
				 y,
				 size,
				 drawing_uniform(c, 0.25f, 0.65f),
				 { flip * (k + slant * s) / wide, flip * (s - slant * k) / wide, -s, k } };
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
	"20100204163644423020",
	"0006 0646",
	"0545 1501 3501",
	"301011333426",
	"0002132322 2046",
	"02204206 0446",
	"0011233526152340",
	"0004 0211203133 3346",
	"2011030516264544322120 2040",
	"0006 0010302212 1232443606",
	"00114546 4006",
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

void drawing_letter(struct drawing *c, float x, float y, float size, float width, float level)
{
	enum { MAX_POINTS = 16, STEPS = 6 };
	char invented[MAX_INVENTED];
	const char *p =
		drawing_chance(c, 0.5f) ? invent(c, invented) : letters[drawing_pick(c, sizeof letters / sizeof letters[0])];
	float angle = drawing_uniform(c, -0.25f, 0.25f), s = sinf(angle), k = cosf(angle), wide = drawing_uniform(c, 0.6f, 1.2f);
	bool smooth = drawing_chance(c, 0.7f);
	float bend = drawing_uniform(c, 0.02f, 0.1f);
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
				drawing_stroke(c, at[0][0], at[0][1], at[1][0], at[1][1], width, level);
			}
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
