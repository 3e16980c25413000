// From strokes to a digit in MNIST's form.
//
// What a stroke's pixel holds of ink is measured between the ground beside the stroke and the stroke's own darkness. The ground is a
// plane through the pixels around the mark, so that uneven light costs nothing. Ink counts only within the mark and a pixel or two
// around it, where its edge is soft; everything else in the box, lines and neighbours, is left out.
#include "core/picture/mark.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = LENET5_SIDE, INNER = 20, CENTRE = 14, N_PIXELS = LENET5_PIXELS };

// A mark's surroundings, cut out.
struct crop {
	int left, top, width, height;
	uint8_t *near; // (height, width): the distance from the strokes in fifths of a pixel, at most FAR
	float *ink; // (height, width): 0 to 1
};
enum { PIXEL = 5, FAR = 255 };
static const float LEAST_INK = 0.1f; // that strokes have, of the darkest

static int clamp(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

// Fills `near`, by two passes that carry the distance on in fifths of a pixel: 5 to a neighbour, 7 across a corner (G. Borgefors, Distance
// Transformations in Digital Images, CVGIP 34, 1986).
static void measure(struct crop *c, const struct mark *m)
{
	int w = c->width, h = c->height, width = m->right - m->left;
	memset(c->near, FAR, (size_t)w * (size_t)h);
	for (int y = m->top; y < m->bottom; y++)
		for (int x = m->left; x < m->right; x++)
			if (m->mask[(y - m->top) * width + x - m->left])
				c->near[(y - c->top) * w + x - c->left] = 0;
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++) {
			uint8_t *at = c->near + y * w + x;
			int d = *at;
			if (x > 0 && at[-1] + 5 < d)
				d = at[-1] + 5;
			if (y > 0 && at[-w] + 5 < d)
				d = at[-w] + 5;
			if (y > 0 && x > 0 && at[-w - 1] + 7 < d)
				d = at[-w - 1] + 7;
			if (y > 0 && x + 1 < w && at[-w + 1] + 7 < d)
				d = at[-w + 1] + 7;
			*at = (uint8_t)d;
		}
	for (int y = h - 1; y >= 0; y--)
		for (int x = w - 1; x >= 0; x--) {
			uint8_t *at = c->near + y * w + x;
			int d = *at;
			if (x + 1 < w && at[1] + 5 < d)
				d = at[1] + 5;
			if (y + 1 < h && at[w] + 5 < d)
				d = at[w] + 5;
			if (y + 1 < h && x + 1 < w && at[w + 1] + 7 < d)
				d = at[w + 1] + 7;
			if (y + 1 < h && x > 0 && at[w - 1] + 7 < d)
				d = at[w - 1] + 7;
			*at = (uint8_t)d;
		}
}

struct ground {
	double at, by_x, by_y; // a plane over the crop
};

static double ground_at(const struct ground *g, int x, int y)
{
	return g->at + g->by_x * x + g->by_y * y;
}

// Solves the 3×3 normal equations; a plane that cannot be told is level.
static struct ground solve(const double s[6], const double t[3])
{
	double n = s[0], sx = s[1], sy = s[2], sxx = s[3], sxy = s[4], syy = s[5];
	double cxx = sxx - sx * sx / n, cxy = sxy - sx * sy / n, cyy = syy - sy * sy / n;
	double cxt = t[1] - sx * t[0] / n, cyt = t[2] - sy * t[0] / n, d = cxx * cyy - cxy * cxy;
	struct ground g = { t[0] / n, 0, 0 };
	if (d > 1e-6 * cxx * cyy && d > 0) {
		g.by_x = (cxt * cyy - cyt * cxy) / d;
		g.by_y = (cyt * cxx - cxt * cxy) / d;
		g.at = (t[0] - g.by_x * sx - g.by_y * sy) / n;
	}
	return g;
}

// Least squares over what is near the mark but not in its edge, three times, each time without what lies far from the plane before.
static struct ground fit_ground(const struct image *plane, const struct crop *c, int inner)
{
	struct ground g = { 0 };
	double limit = 1e9;
	for (int round = 0; round < 4; round++) {
		double s[6] = { 0 }, t[3] = { 0 }, deviation = 0;
		for (int y = 0; y < c->height; y++)
			for (int x = 0; x < c->width; x++) {
				int near = c->near[y * c->width + x];
				if (near <= inner)
					continue;
				double v = plane->pixels[(c->top + y) * plane->width + c->left + x], away = v - ground_at(&g, x, y);
				if (round > 0 && (away < -limit || away > limit))
					continue;
				s[0] += 1, s[1] += x, s[2] += y, s[3] += (double)x * x, s[4] += (double)x * y,
					s[5] += (double)y * y;
				t[0] += v, t[1] += v * x, t[2] += v * y;
				deviation += fabs(away);
			}
		if (s[0] < 8) {
			if (round == 0)
				g.at = 255;
			break;
		}
		if (round == 0) {
			// The first plane is level, at the median: strokes of neighbours must not tilt it.
			uint32_t counts[256] = { 0 }, below = 0;
			for (int i = 0; i < c->width * c->height; i++)
				if (c->near[i] > inner)
					counts[plane->pixels[(c->top + i / c->width) * plane->width + c->left + i % c->width]]++;
			int median = 0;
			while (2 * (below += counts[median]) < (uint32_t)s[0])
				median++;
			g = (struct ground){ median, 0, 0 };
			deviation = 0;
			for (int i = 0; i < 256; i++)
				deviation += counts[i] * fabs((double)(i - median));
			limit = 2.5 * deviation / s[0] + 2;
			continue;
		}
		g = solve(s, t);
		limit = 2.5 * deviation / s[0] + 2;
	}
	return g;
}

// The step between the ground and the strokes' darkest fifth.
static double ink_step(const struct image *plane, const struct crop *c, const struct ground *g)
{
	uint32_t counts[512] = { 0 }, n = 0;
	for (int i = 0; i < c->width * c->height; i++) {
		if (c->near[i])
			continue;
		int x = i % c->width, y = i / c->width;
		double step = ground_at(g, x, y) - plane->pixels[(c->top + y) * plane->width + c->left + x];
		counts[clamp((int)step, 0, 511)]++;
		n++;
	}
	uint32_t above = 0;
	int level = 511;
	while (level > 0 && 5 * (above += counts[level]) < n)
		level--;
	return level;
}

// The share of what lies around the mark that is clearly lighter than its ink. A stroke has ground on all sides, if of more than one grey;
// what is enclosed by thin strokes has it only as wide as these.
static double ground_share(const struct image *plane, const struct crop *c, const struct ground *g, double step, int inner,
			   int outer)
{
	int n = 0, n_ground = 0;
	for (int i = 0; i < c->width * c->height; i++) {
		if (c->near[i] <= inner || c->near[i] > outer)
			continue;
		int x = i % c->width, y = i / c->width;
		double darker = ground_at(g, x, y) - plane->pixels[(c->top + y) * plane->width + c->left + x];
		n++;
		n_ground += darker < 0.7 * step && darker > -step;
	}
	return n > 0 ? (double)n_ground / n : 1;
}

static void take_ink(const struct image *plane, struct crop *c, const struct ground *g, double step, int reach)
{
	for (int i = 0; i < c->width * c->height; i++) {
		int x = i % c->width, y = i / c->width, near = c->near[i];
		double ink = (ground_at(g, x, y) - plane->pixels[(c->top + y) * plane->width + c->left + x]) / step;
		c->ink[i] = near > reach ? 0 : (float)(ink < 0 ? 0 : ink > 1 ? 1 : ink);
	}
}

// Whether a quarter of the strokes has less than half of the ink of the darkest.
static bool is_faded(const struct crop *c)
{
	int n = 0, n_pale = 0;
	for (int i = 0; i < c->width * c->height; i++) {
		n += c->near[i] == 0;
		n_pale += c->near[i] == 0 && c->ink[i] < 0.5f;
	}
	return 4 * n_pale > n;
}

// The largest of the values up to `reach` away, along rows of n values that are `step` apart.
static void dilate(const float *from, float *to, int n_rows, int row_step, int n, int step, int reach)
{
	for (int row = 0; row < n_rows; row++)
		for (int i = 0; i < n; i++) {
			float most = 0;
			for (int k = i - reach < 0 ? 0 : i - reach; k <= i + reach && k < n; k++)
				most = from[row * row_step + k * step] > most ? from[row * row_step + k * step] : most;
			to[row * row_step + i * step] = most;
		}
}

// Where strokes are pale over a part of their length, in a lamp's reflection, say, their ink is measured by the darkest nearby.
static void even_out(struct crop *c, int reach)
{
	size_t n = (size_t)c->width * (size_t)c->height;
	float *rows = malloc(2 * n * sizeof *rows), *most = rows + n;
	if (!rows)
		return; // pale, then
	dilate(c->ink, rows, c->height, c->width, c->width, 1, reach);
	dilate(rows, most, c->width, 1, c->height, c->width, reach);
	for (size_t i = 0; i < n; i++)
		c->ink[i] /= most[i] > LEAST_INK ? most[i] : LEAST_INK;
	free(rows);
}

// What is hardly ink is none.
static void cut(struct crop *c)
{
	for (int i = 0; i < c->width * c->height; i++)
		c->ink[i] = c->ink[i] < 0.1f ? 0 : c->ink[i];
}

// Grows strokes by `by` pixels, a fraction of one by as much of the step.
static void thicken(struct crop *c, double by)
{
	float *from = malloc((size_t)c->width * (size_t)c->height * sizeof *from);
	if (!from)
		return; // thin, then
	for (; by > 0.05; by -= 1) {
		float share = by < 1 ? (float)by : 1;
		memcpy(from, c->ink, (size_t)c->width * (size_t)c->height * sizeof *from);
		for (int y = 0; y < c->height; y++)
			for (int x = 0; x < c->width; x++) {
				float most = from[y * c->width + x];
				for (int k = 0; k < 4; k++) {
					int u = x + (k == 0) - (k == 1), v = y + (k == 2) - (k == 3);
					if (u >= 0 && u < c->width && v >= 0 && v < c->height &&
					    share * from[v * c->width + u] > most)
						most = share * from[v * c->width + u];
				}
				c->ink[y * c->width + x] = most;
			}
	}
	free(from);
}

// The box of ink of at least a fifth. False: there is none.
static bool find_box(const struct crop *c, int box[4])
{
	box[0] = c->width, box[1] = c->height, box[2] = box[3] = 0;
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++)
			if (c->ink[y * c->width + x] >= 0.25f) {
				box[0] = x < box[0] ? x : box[0];
				box[1] = y < box[1] ? y : box[1];
				box[2] = x + 1 > box[2] ? x + 1 : box[2];
				box[3] = y + 1;
			}
	return box[3] > 0;
}

// The mean of ink over [x0, x1) × [y0, y1), fractions of pixels counted.
static double mean_ink(const struct crop *c, double x0, double y0, double x1, double y1)
{
	double sum = 0;
	for (int y = (int)y0; y < y1 && y < c->height; y++) {
		double high = (y + 1 < y1 ? y + 1 : y1) - (y > y0 ? y : y0);
		for (int x = (int)x0; x < x1 && x < c->width; x++)
			sum += high * ((x + 1 < x1 ? x + 1 : x1) - (x > x0 ? x : x0)) * c->ink[y * c->width + x];
	}
	return sum / ((x1 - x0) * (y1 - y0));
}

static double ink_between(const struct crop *c, double x, double y)
{
	x = x < 0 ? 0 : x > c->width - 1 ? c->width - 1 : x;
	y = y < 0 ? 0 : y > c->height - 1 ? c->height - 1 : y;
	int x0 = (int)x, y0 = (int)y, x1 = x0 + (x0 + 1 < c->width), y1 = y0 + (y0 + 1 < c->height);
	double u = x - x0, v = y - y0;
	const float *a = c->ink + y0 * c->width, *b = c->ink + y1 * c->width;
	return (a[x0] * (1 - u) + a[x1] * u) * (1 - v) + (b[x0] * (1 - u) + b[x1] * u) * v;
}

static int compare(const void *a, const void *b)
{
	const float *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static bool scale(const struct crop *c, const int box[4], uint8_t pixels[N_PIXELS])
{
	double width = box[2] - box[0], height = box[3] - box[1], longer = width > height ? width : height, unit = longer / INNER;
	int columns = clamp((int)(width / unit + 0.5), 1, INNER), rows = clamp((int)(height / unit + 0.5), 1, INNER);
	float small[INNER * INNER], sorted[INNER * INNER];
	double dx = width / columns, dy = height / rows, mass = 0, sum_x = 0, sum_y = 0;
	int n_inked = 0;
	for (int y = 0; y < rows; y++)
		for (int x = 0; x < columns; x++) {
			double ink = unit >= 1 ? mean_ink(c, box[0] + x * dx, box[1] + y * dy, box[0] + (x + 1) * dx,
							  box[1] + (y + 1) * dy)
					       : ink_between(c, box[0] + (x + 0.5) * dx - 0.5, box[1] + (y + 0.5) * dy - 0.5);
			small[y * columns + x] = (float)ink;
			if (ink > 0.02)
				sorted[n_inked++] = (float)ink;
		}
	if (n_inked == 0)
		return false;
	qsort(sorted, (size_t)n_inked, sizeof *sorted, compare);
	float peak = sorted[n_inked - 1 - n_inked / 10];
	for (int i = 0; i < rows * columns; i++) {
		small[i] = small[i] / peak > 1 ? 1 : small[i] / peak;
		mass += small[i];
		sum_x += small[i] * (float)(i % columns);
		sum_y += small[i] * (float)(i / columns);
	}
	int left = clamp(CENTRE - (int)(sum_x / mass + 0.5), 0, SIDE - columns);
	int top = clamp(CENTRE - (int)(sum_y / mass + 0.5), 0, SIDE - rows);
	memset(pixels, 0, N_PIXELS);
	for (int y = 0; y < rows; y++)
		for (int x = 0; x < columns; x++)
			pixels[(top + y) * SIDE + left + x] = (uint8_t)(255 * small[y * columns + x] + 0.5f);
	return true;
}

// The mean width of the strokes, in pixels: their area over half their outline.
static double stroke_width(const struct mark *m)
{
	int width = m->right - m->left, height = m->bottom - m->top, sides = 0;
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++) {
			const uint8_t *at = m->mask + y * width + x;
			if (!*at)
				continue;
			sides += (x == 0 || !at[-1]) + (x + 1 == width || !at[1]) + (y == 0 || !at[-width]) +
				 (y + 1 == height || !at[width]);
		}
	return 2.3 * m->area / (sides + 1); // a slanted outline has more sides than length
}

static int draw(const struct image *plane, struct mark *mark, uint8_t pixels[N_PIXELS], struct err *e)
{
	int width = mark->right - mark->left, height = mark->bottom - mark->top, longer = width > height ? width : height;
	int margin = 4 + longer / 8;
	struct crop c = { .left = clamp(mark->left - margin, 0, plane->width), .top = clamp(mark->top - margin, 0, plane->height) };
	c.width = clamp(mark->right + margin, 0, plane->width) - c.left;
	c.height = clamp(mark->bottom + margin, 0, plane->height) - c.top;
	size_t n = (size_t)c.width * (size_t)c.height;
	float *memory = malloc(n * (sizeof *memory + 1));
	if (!memory)
		return err_set(e, "no memory for a digit");
	c.ink = memory;
	c.near = (uint8_t *)(memory + n);
	double has = stroke_width(mark);
	int outer = clamp((int)(1.5 * has), 4, 8) * PIXEL;
	measure(&c, mark);
	struct ground g = fit_ground(plane, &c, 2 * PIXEL);
	double step = ink_step(plane, &c, &g), soft = mark->edge > 0 ? step / mark->edge : 1;
	int reach = clamp((int)(soft / 2 + 0.7), 1, 4), box[4];
	int drawn = 0;
	mark->width = (float)has;
	mark->softness = (float)soft / (float)longer;
	mark->ground = (float)ground_share(plane, &c, &g, step, 2 * PIXEL, outer);
	if (step >= 1) {
		take_ink(plane, &c, &g, step, reach * PIXEL);
		if (is_faded(&c))
			even_out(&c, 1 + (int)(0.75 * has));
		cut(&c);
		double wanted = 1.7 * longer / INNER;
		if (has < wanted && longer > INNER)
			thicken(&c, (wanted - has) / 2);
		drawn = find_box(&c, box) && scale(&c, box, pixels);
	}
	free(memory);
	return drawn;
}

// Large marks are drawn from a picture reduced to this many pixels: three to one of the digit.
enum { DRAWN_SIDE = 40 };

int mark_draw(const struct image *plane, struct mark *mark, uint8_t pixels[N_PIXELS], struct err *e)
{
	int width = mark->right - mark->left, height = mark->bottom - mark->top, longer = width > height ? width : height;
	int k = longer / DRAWN_SIDE;
	if (k < 2 || k > plane->width || k > plane->height)
		return draw(plane, mark, pixels, e);
	int margin = 4 * k + longer / 8, left = clamp(mark->left - margin, 0, plane->width),
	    top = clamp(mark->top - margin, 0, plane->height);
	int right = clamp(mark->right + margin, 0, plane->width), bottom = clamp(mark->bottom + margin, 0, plane->height);
	struct image small = { (right - left) / k, (bottom - top) / k, NULL };
	struct mark m = { 0, 0, small.width, small.height, NULL, 0, mark->edge * (float)k, 0, 0, 0 };
	small.pixels = malloc((size_t)small.width * (size_t)small.height);
	m.mask = malloc((size_t)small.width * (size_t)small.height);
	int drawn = -1;
	if (!small.pixels || !m.mask) {
		err_set(e, "no memory for a digit");
		goto out;
	}
	for (int y = 0; y < small.height; y++)
		for (int x = 0; x < small.width; x++) {
			int sum = 0, inked = 0;
			for (int v = top + y * k; v < top + (y + 1) * k; v++)
				for (int u = left + x * k; u < left + (x + 1) * k; u++) {
					sum += plane->pixels[v * plane->width + u];
					inked += u >= mark->left && u < mark->right && v >= mark->top && v < mark->bottom &&
						 mark->mask[(v - mark->top) * width + u - mark->left];
				}
			small.pixels[y * small.width + x] = (uint8_t)((sum + k * k / 2) / (k * k));
			// A thin stroke fills no pixel by half; where it fills any by a quarter it is there.
			m.area += m.mask[y * small.width + x] = 3 * inked >= k * k;
		}
	// Thin strokes, which fill no pixel by a third, are drawn as they are.
	drawn = m.area * k * k > mark->area / 2 ? draw(&small, &m, pixels, e) : draw(plane, mark, pixels, e);
	if (m.area * k * k > mark->area / 2) {
		mark->ground = m.ground;
		mark->softness = m.softness;
		mark->width = m.width * (float)k;
	}
out:
	free(small.pixels);
	free(m.mask);
	return drawn;
}
