// Straight lines in a mask: what is ruled or printed, not written. Level lines are found in the mask, upright ones in its transpose.
//
// A line votes by columns: where the mask's vertical run is thin, its middle supports every line y = a + s·x through it. The line with
// the most columns is taken if they are enough, its thin runs are erased, and the rest votes again. Where a stroke crosses, the run is
// thick: it does not vote and is not erased, but the line may go on behind it.
#include "core/picture/mark.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { N_SLOPES = 29, MAX_LINES = 12 };

static double slope(int i)
{
	return (i - N_SLOPES / 2) * 0.01; // ±0.14
}

// A mask and its plane's erased pixels, (i, j) being column i, row j. A column of the mask lies in one piece: of a mask for upright lines,
// that is a row.
struct view {
	uint8_t *mask, *erased;
	int n_columns, n_rows;
	size_t erased_column_step, erased_row_step;
};

static uint8_t *at(const struct view *v, int i, int j)
{
	return v->mask + (size_t)i * (size_t)v->n_rows + j;
}

// Finds the next vertical run of column i, from row *bottom on: [*top, *bottom). False if there is none.
static bool next_run(const struct view *v, int i, int *top, int *bottom)
{
	const uint8_t *column = at(v, i, 0);
	size_t n = (size_t)v->n_rows;
	const uint8_t *first = memchr(column + *bottom, 1, n - (size_t)*bottom);
	if (!first)
		return false;
	const uint8_t *end = memchr(first, 0, n - (size_t)(first - column));
	*top = (int)(first - column);
	*bottom = end ? (int)(end - column) : v->n_rows;
	return true;
}

static void vote(const struct view *v, int max_width, uint16_t *votes, int n_offsets, int base)
{
	for (int i = 0; i < v->n_columns; i++)
		for (int top, bottom = 0; next_run(v, i, &top, &bottom);) {
			if (bottom - top > max_width)
				continue;
			double middle = 0.5 * (top + bottom - 1);
			for (int k = 0; k < N_SLOPES; k++) {
				int offset = (int)(middle - slope(k) * i + 0.5 + base);
				votes[k * n_offsets + offset]++;
			}
		}
}

// The line's own width: half as much again as the median of its runs, and a pixel.
static int measure_width(const struct view *v, int max_width, double offset, double by)
{
	int counts[256] = { 0 }, n = 0, below = 0, median = 0;
	for (int i = 0; i < v->n_columns; i++)
		for (int top, bottom = 0; next_run(v, i, &top, &bottom);) {
			int width = bottom - top;
			if (width <= max_width && width < 256 &&
			    fabs(0.5 * (top + bottom - 1) - offset - by * i) <= 0.5 * width + 1) {
				counts[width]++;
				n++;
			}
		}
	while (median < 255 && 2 * (below += counts[median]) < n)
		median++;
	int width = median + (median + 1) / 2 + 1;
	return width < max_width ? width : max_width;
}

static int erase(struct view *v, int max_width, double offset, double by)
{
	int erased = 0;
	for (int i = 0; i < v->n_columns; i++)
		for (int top, bottom = 0; next_run(v, i, &top, &bottom);) {
			double middle = 0.5 * (top + bottom - 1), away = middle - (offset + by * i);
			if (bottom - top > max_width || fabs(away) > 0.5 * max_width + 1)
				continue;
			for (int j = top; j < bottom; j++) {
				*at(v, i, j) = 0;
				if (v->erased)
					v->erased[(size_t)i * v->erased_column_step + (size_t)j * v->erased_row_step] = 1;
			}
			erased += bottom - top;
		}
	return erased;
}

// In how many columns the line lies in the mask, where strokes cross it too.
static int count_covered(const struct view *v, double offset, double by)
{
	int n = 0;
	for (int i = 0; i < v->n_columns; i++) {
		int j = (int)floor(offset + by * i + 0.5);
		bool covered = false;
		for (int k = j - 1; k <= j + 1; k++)
			covered |= k >= 0 && k < v->n_rows && *at(v, i, k);
		n += covered;
	}
	return n;
}

// Returns the number of lines.
static int strip(struct view *v, int min_length, int max_width, int *area)
{
	if (v->n_columns < min_length)
		return 0;
	int base = (int)(0.15 * v->n_columns) + 2, n_offsets = v->n_rows + 2 * base + 2, n = 0;
	uint16_t *votes = malloc((size_t)N_SLOPES * (size_t)n_offsets * sizeof *votes);
	if (!votes)
		return 0;
	for (; n < MAX_LINES; n++) {
		memset(votes, 0, (size_t)N_SLOPES * (size_t)n_offsets * sizeof *votes);
		vote(v, max_width, votes, n_offsets, base);
		int best = 0, best_k = 0, best_offset = 0;
		for (int k = 0; k < N_SLOPES; k++)
			for (int o = 1; o + 1 < n_offsets; o++) {
				const uint16_t *p = votes + k * n_offsets + o;
				int sum = p[-1] + p[0] + p[1];
				if (sum > best)
					best = sum, best_k = k, best_offset = o;
			}
		double offset = best_offset - base, by = slope(best_k);
		if (2 * best < min_length || (best < min_length && count_covered(v, offset, by) < min_length))
			break;
		*area -= erase(v, measure_width(v, max_width, offset, by), offset, by);
	}
	free(votes);
	return n;
}

// (width, height) of a mask of (height, width).
static void transpose(const uint8_t *mask, int width, int height, uint8_t *to)
{
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++)
			to[(size_t)x * (size_t)height + (size_t)y] = mask[(size_t)y * (size_t)width + (size_t)x];
}

struct mark_lines mark_strip_lines(struct mark *mark, int min_width, int min_height, int thickness, uint8_t *erased,
				   const struct image *plane)
{
	int width = mark->right - mark->left, height = mark->bottom - mark->top;
	uint8_t *from = erased ? erased + (size_t)mark->top * (size_t)plane->width + (size_t)mark->left : NULL;
	uint8_t *transposed = malloc((size_t)width * (size_t)height);
	struct mark_lines lines = { 0, 0 };
	if (!transposed)
		return lines;
	transpose(mark->mask, width, height, transposed);
	struct view level = { transposed, from, width, height, 1, (size_t)plane->width };
	struct view upright = { mark->mask, from, height, width, (size_t)plane->width, 1 };
	lines.n_level = strip(&level, min_width, thickness, &mark->area);
	if (lines.n_level)
		transpose(transposed, height, width, mark->mask);
	lines.n_upright = strip(&upright, min_height, thickness, &mark->area);
	free(transposed);
	return lines;
}
