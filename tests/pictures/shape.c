// A digit of 28×28 is enlarged by cubic B-splines, which are smooth, and cut at half of its ink. Distances from the outline are exact for
// the cells (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, 2012), then smoothed over the cells' steps. The
// strokes' middles come from thinning (Zhang and Suen, 1984), each point moved to the mean of its neighbours along the stroke.
#include "tests/pictures/shape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = SHAPE_SIDE, N = SIDE * SIDE };

static float spline(float t)
{
	t = fabsf(t);
	return t < 1 ? 2.0f / 3 - t * t + t * t * t / 2 : t < 2 ? (2 - t) * (2 - t) * (2 - t) / 6 : 0;
}

// Squared distances along one line of cells: the lower envelope of the parabolas at f.
static void transform_line(const float *f, float *out)
{
	int at[SIDE], k = 0;
	float from[SIDE + 1];
	at[0] = 0, from[0] = -1e20f, from[1] = 1e20f;
	for (int q = 1; q < SIDE; q++) {
		float s;
		while (true) {
			int p = at[k];
			s = (f[q] + (float)(q * q) - f[p] - (float)(p * p)) / (float)(2 * (q - p));
			if (s > from[k] || k == 0)
				break;
			k--;
		}
		k++;
		at[k] = q, from[k] = s, from[k + 1] = 1e20f;
	}
	k = 0;
	for (int q = 0; q < SIDE; q++) {
		while (from[k + 1] < (float)q)
			k++;
		out[q] = (float)((q - at[k]) * (q - at[k])) + f[at[k]];
	}
}

// The distance of every cell from the nearest where mask is `value`, in cells.
static void distances(const uint8_t *mask, int value, float *out)
{
	float line[SIDE], result[SIDE];
	for (int i = 0; i < N; i++)
		out[i] = mask[i] == value ? 0 : 1e9f;
	for (int x = 0; x < SIDE; x++) {
		for (int y = 0; y < SIDE; y++)
			line[y] = out[y * SIDE + x];
		transform_line(line, result);
		for (int y = 0; y < SIDE; y++)
			out[y * SIDE + x] = result[y];
	}
	for (int y = 0; y < SIDE; y++) {
		transform_line(out + y * SIDE, result);
		for (int x = 0; x < SIDE; x++)
			out[y * SIDE + x] = sqrtf(result[x]);
	}
}

static void smooth(float *field, float *scratch)
{
	memcpy(scratch, field, N * sizeof *field);
	for (int y = 1; y < SIDE - 1; y++)
		for (int x = 1; x < SIDE - 1; x++) {
			float sum = 0;
			for (int k = 0; k < 9; k++)
				sum += scratch[(y + k / 3 - 1) * SIDE + x + k % 3 - 1];
			field[y * SIDE + x] = sum / 9;
		}
}

// Whether Zhang and Suen's half step takes the cell away. p: its eight neighbours, clockwise from above.
static bool is_removed(const uint8_t *mask, int i, int half)
{
	const uint8_t *a = mask + i;
	uint8_t p[9] = { a[-SIDE], a[1 - SIDE], a[1], a[SIDE + 1], a[SIDE], a[SIDE - 1], a[-1], a[-SIDE - 1], a[-SIDE] };
	int n = 0, steps = 0;
	for (int k = 0; k < 8; k++) {
		n += p[k];
		steps += !p[k] && p[k + 1];
	}
	if (n < 2 || n > 6 || steps != 1)
		return false;
	return half ? !(p[0] && p[2] && p[6]) && !(p[0] && p[4] && p[6]) : !(p[0] && p[2] && p[4]) && !(p[2] && p[4] && p[6]);
}

static void thin(uint8_t *mask, int *removed)
{
	int n_removed, quiet = 0;
	for (int half = 0; quiet < 2; half = !half) {
		n_removed = 0;
		for (int i = SIDE + 1; i < N - SIDE - 1; i++)
			if (mask[i] && i % SIDE > 0 && i % SIDE < SIDE - 1 && is_removed(mask, i, half))
				removed[n_removed++] = i;
		for (int k = 0; k < n_removed; k++)
			mask[removed[k]] = 0;
		quiet = n_removed ? 0 : quiet + 1;
	}
}

static void mean_point(const uint8_t *middle, int i, float *x, float *y)
{
	int x0 = i % SIDE, y0 = i / SIDE, n = 0, sx = 0, sy = 0;
	for (int v = -6; v <= 6; v++)
		for (int u = -6; u <= 6; u++)
			if (x0 + u >= 0 && y0 + v >= 0 && x0 + u < SIDE && y0 + v < SIDE && middle[(y0 + v) * SIDE + x0 + u]) {
				sx += u, sy += v;
				n++;
			}
	*x = ((float)x0 + (float)sx / (float)n + 0.5f) / SHAPE_CELLS - 0.5f;
	*y = ((float)y0 + (float)sy / (float)n + 0.5f) / SHAPE_CELLS - 0.5f;
}

static void add_middles(struct shape *s, const uint8_t *middle)
{
	static const int right_below[4] = { 1, SIDE - 1, SIDE, SIDE + 1 };
	float x0, y0, x1, y1;
	for (int i = SIDE + 1; i < N - SIDE - 1; i++) {
		if (!middle[i])
			continue;
		mean_point(middle, i, &x0, &y0);
		if (s->n_lines < SHAPE_MAX_LINES)
			memcpy(s->lines[s->n_lines++], (float[4]){ x0, y0, x0, y0 }, sizeof s->lines[0]);
		for (int k = 0; k < 4; k++)
			if (middle[i + right_below[k]] && s->n_lines < SHAPE_MAX_LINES) {
				mean_point(middle, i + right_below[k], &x1, &y1);
				memcpy(s->lines[s->n_lines++], (float[4]){ x0, y0, x1, y1 }, sizeof s->lines[0]);
			}
	}
}

struct shape *shape_new(struct err *e)
{
	struct shape *s = malloc(sizeof *s);
	if (!s) {
		err_set(e, "no memory for a shape");
		return NULL;
	}
	s->has_outline = false;
	s->n_lines = 0;
	s->left = s->top = 28;
	s->right = s->bottom = 0;
	return s;
}

void shape_add_line(struct shape *s, float x0, float y0, float x1, float y1)
{
	if (s->n_lines == SHAPE_MAX_LINES)
		return;
	memcpy(s->lines[s->n_lines++], (float[4]){ x0, y0, x1, y1 }, sizeof s->lines[0]);
	s->left = fminf(s->left, fminf(x0, x1));
	s->right = fmaxf(s->right, fmaxf(x0, x1));
	s->top = fminf(s->top, fminf(y0, y1));
	s->bottom = fmaxf(s->bottom, fmaxf(y0, y1));
}

struct shape *shape_of_mask(const uint8_t *mask, struct err *e)
{
	struct shape *s = shape_new(e);
	float *inner = malloc(N * sizeof *inner);
	int *removed = malloc(N * sizeof *removed);
	uint8_t *middle = malloc(N);
	if (!s || !inner || !removed || !middle) {
		err_set(e, "no memory for a shape");
		free(s);
		s = NULL;
		goto out;
	}
	memcpy(middle, mask, N);
	thin(middle, removed);
	add_middles(s, middle);
	distances(mask, 1, s->edge);
	distances(mask, 0, inner);
	for (int i = 0; i < N; i++) {
		s->edge[i] = (s->edge[i] - inner[i]) / SHAPE_CELLS;
		if (mask[i]) {
			float x = ((float)(i % SIDE) + 0.5f) / SHAPE_CELLS - 0.5f,
			      y = ((float)i / SIDE + 0.5f) / SHAPE_CELLS - 0.5f;
			s->left = fminf(s->left, x), s->right = fmaxf(s->right, x);
			s->top = fminf(s->top, y), s->bottom = fmaxf(s->bottom, y);
		}
	}
	smooth(s->edge, inner);
	smooth(s->edge, inner);
	s->has_outline = true;
out:
	free(inner);
	free(removed);
	free(middle);
	return s;
}

// The weights of the four pixels around every cell of a line, for pixels `times` cells' worth apart with their middle at `middle`.
static void weigh(float middle, float times, int first[SIDE], float weights[SIDE][4])
{
	for (int i = 0; i < SIDE; i++) {
		float x = 13.5f + (((float)i + 0.5f) / SHAPE_CELLS - 0.5f - middle) * times;
		first[i] = (int)floorf(x) - 1;
		for (int k = 0; k < 4; k++)
			weights[i][k] = first[i] + k < 0 || first[i] + k > 27 ? 0 : spline(x - (float)(first[i] + k));
	}
}

// Marks the cells of a digit that is reduced `times` and whose middle lies at (x, y): rows first, then columns.
static void mark_digit(uint8_t *mask, const uint8_t *digit, float x, float y, float times)
{
	int first[SIDE];
	float weights[SIDE][4], rows[28][SIDE];
	weigh(x, times, first, weights);
	for (int v = 0; v < 28; v++)
		for (int i = 0; i < SIDE; i++) {
			rows[v][i] = 0;
			for (int k = 0; k < 4; k++)
				if (weights[i][k] > 0)
					rows[v][i] += weights[i][k] * (float)digit[v * 28 + first[i] + k];
		}
	weigh(y, times, first, weights);
	for (int j = 0; j < SIDE; j++)
		for (int i = 0; i < SIDE; i++) {
			float sum = 0;
			for (int k = 0; k < 4; k++)
				if (weights[j][k] > 0)
					sum += weights[j][k] * rows[first[j] + k][i];
			mask[j * SIDE + i] |= sum > 110;
		}
}

struct shape *shape_of_digit(const uint8_t digit[784], struct err *e)
{
	return shape_of_digits(digit, NULL, e);
}

struct shape *shape_of_digits(const uint8_t *left, const uint8_t *right, struct err *e)
{
	uint8_t *mask = calloc(N, 1);
	if (!mask) {
		err_set(e, "no memory for a shape");
		return NULL;
	}
	if (right) {
		mark_digit(mask, left, 7.5f, 13.5f, 1.9f);
		mark_digit(mask, right, 19.5f, 13.5f, 1.9f);
	} else {
		mark_digit(mask, left, 13.5f, 13.5f, 1);
	}
	struct shape *s = shape_of_mask(mask, e);
	free(mask);
	return s;
}

static float edge_between(const struct shape *s, float x, float y)
{
	float u = (x + 0.5f) * SHAPE_CELLS - 0.5f, v = (y + 0.5f) * SHAPE_CELLS - 0.5f;
	float a = canvas_clamp(u, 0, SIDE - 1.001f), b = canvas_clamp(v, 0, SIDE - 1.001f);
	int x0 = (int)a, y0 = (int)b;
	float p = a - (float)x0, q = b - (float)y0;
	const float *at = s->edge + y0 * SIDE + x0;
	return (at[0] * (1 - p) + at[1] * p) * (1 - q) + (at[SIDE] * (1 - p) + at[SIDE + 1] * p) * q +
	       hypotf(u - a, v - b) / SHAPE_CELLS;
}

// From the shape to the canvas: x' = m0 x + m1 y, y' = m2 x + m3 y, around the middles.
static void placing(const struct pen *pen, float scale, float m[4])
{
	float k = cosf(pen->angle), s = sinf(pen->angle);
	m[0] = scale * k * pen->wide;
	m[1] = scale * (k * pen->slant - s);
	m[2] = scale * s * pen->wide;
	m[3] = scale * (s * pen->slant + k);
}

void shape_draw(const struct shape *s, const struct pen *pen, struct canvas *c)
{
	float longer = fmaxf(fmaxf(s->right - s->left, s->bottom - s->top), 1), scale = pen->size / longer, m[4];
	float middle_x = (s->left + s->right) / 2, middle_y = (s->top + s->bottom) / 2;
	placing(pen, scale, m);
	if (pen->width > 0 || !s->has_outline) {
		float width = pen->width > 0 ? pen->width : fmaxf(pen->size / 12 + 2 * pen->bolder, 1);
		for (int i = 0; i < s->n_lines; i++) {
			const float *l = s->lines[i];
			float x0 = l[0] - middle_x, y0 = l[1] - middle_y, x1 = l[2] - middle_x, y1 = l[3] - middle_y;
			canvas_stroke(c, pen->x + m[0] * x0 + m[1] * y0, pen->y + m[2] * x0 + m[3] * y0,
				      pen->x + m[0] * x1 + m[1] * y1, pen->y + m[2] * x1 + m[3] * y1, width);
		}
		return;
	}
	float reach = pen->size * 1.2f + fabsf(pen->bolder) + 2, det = m[0] * m[3] - m[1] * m[2];
	for (int y = (int)(pen->y - reach); (float)y <= pen->y + reach; y++)
		for (int x = (int)(pen->x - reach); (float)x <= pen->x + reach; x++) {
			if (x < 0 || y < 0 || x >= c->width || y >= c->height)
				continue;
			float dx = (float)x - pen->x, dy = (float)y - pen->y;
			float u = middle_x + (m[3] * dx - m[1] * dy) / det, v = middle_y + (m[0] * dy - m[2] * dx) / det;
			canvas_cover(c, x, y, canvas_clamp(0.5f + pen->bolder - scale * edge_between(s, u, v), 0, 1));
		}
}
