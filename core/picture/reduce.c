// Sums take two bytes while a mean is of at most 256 pixels, and one, the sample itself, where nothing is reduced: such planes become
// the picture's own without a copy unless it must be turned. With alpha, what is summed is luma·alpha/255, rounded.
#include "core/picture/reduce.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_IN_16_BITS = 65535 / 255 };

static int divide_up(int a, int b)
{
	return (a + b - 1) / b;
}

int reduce_factor(int width, int height, size_t looked_at)
{
	int factor = 1;
	while ((uint64_t)divide_up(width, factor) * (uint64_t)divide_up(height, factor) > looked_at && factor < PICTURE_MAX_SIDE)
		factor++;
	return factor;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

// Channels 0 to n−1 in one piece of memory, alpha in another, since the picture outlives it.
static bool allocate(struct reduce *r, bool has_colour, bool has_alpha)
{
	size_t width = (size_t)r->width, plane = (size_t)r->n_columns * (size_t)r->n_rows * (size_t)r->sum_bytes;
	int n = has_colour ? 3 : 1;
	uint8_t *rows = malloc(width * 4), *sums = r->sum_bytes > 1 ? calloc((size_t)n, plane) : malloc((size_t)n * plane);
	r->row[REDUCE_LUMA] = rows;
	r->sums[REDUCE_LUMA] = sums;
	if (has_alpha)
		r->sums[REDUCE_ALPHA] = calloc(1, plane);
	if (r->factor > 1)
		r->column_of = malloc(width * sizeof *r->column_of);
	if (!rows || !sums || (has_alpha && !r->sums[REDUCE_ALPHA]) || (r->factor > 1 && !r->column_of))
		return false;
	for (int c = 1; c < n; c++) {
		r->row[c] = rows + (size_t)c * width;
		r->sums[c] = sums + (size_t)c * plane;
	}
	if (has_alpha)
		r->row[REDUCE_ALPHA] = rows + 3 * width;
	return true;
}

int reduce_init(struct reduce *r, int width, int height, size_t looked_at, bool has_colour, bool has_alpha, struct err *e)
{
	*r = (struct reduce){ .width = width, .height = height, .factor = reduce_factor(width, height, looked_at) };
	r->n_columns = divide_up(width, r->factor);
	r->n_rows = divide_up(height, r->factor);
	int64_t n_in_mean = (int64_t)smaller(width, r->factor) * smaller(height, r->factor);
	r->sum_bytes = r->factor == 1 ? 1 : n_in_mean <= MAX_IN_16_BITS ? 2 : 4;
	if (!allocate(r, has_colour, has_alpha)) {
		reduce_fini(r);
		return err_set(e, "no memory for a picture of %d×%d pixels", r->n_columns, r->n_rows);
	}
	for (int x = 0; r->factor > 1 && x < width; x++)
		r->column_of[x] = (uint16_t)(x / r->factor);
	return 0;
}

void reduce_fini(struct reduce *r)
{
	free(r->row[REDUCE_LUMA]);
	free(r->sums[REDUCE_LUMA]);
	free(r->sums[REDUCE_ALPHA]);
	free(r->column_of);
	*r = (struct reduce){ 0 };
}

// Tells light from dark and, unless samples are kept as they are, weights them.
static void weight(struct reduce *r, int n)
{
	const uint8_t *luma = r->row[REDUCE_LUMA], *alpha = r->row[REDUCE_ALPHA];
	uint32_t light = 0, visible = 0; // a row has at most 65535 pixels, but luma·alpha wants more bits
	for (int i = 0; i < n; i++) {
		light += (uint32_t)luma[i] * alpha[i];
		visible += alpha[i];
		if (i % 32768 == 32767) {
			r->light += light;
			light = 0;
		}
	}
	r->light += light;
	r->visible += visible;
	for (int c = 0; c < REDUCE_ALPHA && r->factor > 1; c++)
		for (int i = 0; r->row[c] && i < n; i++)
			r->row[c][i] = (uint8_t)((r->row[c][i] * alpha[i] + 127) / 255);
}

static void copy(const uint8_t *in, uint8_t *to, int step, int n)
{
	if (step == 1)
		memcpy(to, in, (size_t)n);
	else
		for (int i = 0; i < n; i++)
			to[i * step] = in[i];
}

// A whole row in its order, or part of one by the table.
#define ADD(to)                                                                                                                    \
	do {                                                                                                                       \
		if (step == 1 && x == 0)                                                                                           \
			for (int i = 0; i < n; to++) {                                                                             \
				uint32_t sum = 0;                                                                                  \
				for (int end = smaller(n, i + r->factor); i < end; i++)                                            \
					sum += in[i];                                                                              \
				*to = (__typeof__(*to))(*to + sum);                                                                \
			}                                                                                                          \
		else                                                                                                               \
			for (int i = 0; i < n; i++)                                                                                \
				to[r->column_of[x + i * step]] = (__typeof__(*to))(to[r->column_of[x + i * step]] + in[i]);        \
	} while (0)

void reduce_add(struct reduce *r, int x, int y, int step, int n)
{
	if (r->row[REDUCE_CB])
		for (int i = 0; i < n; i++)
			r->colour |= (uint8_t)((r->row[REDUCE_CB][i] ^ 128) | (r->row[REDUCE_CR][i] ^ 128));
	if (r->row[REDUCE_ALPHA])
		weight(r, n);
	size_t row = (size_t)(y / r->factor) * (size_t)r->n_columns;
	for (int c = 0; c < REDUCE_CHANNELS; c++) {
		const uint8_t *in = r->row[c];
		if (!in)
			continue;
		uint16_t *to_16 = r->sums[c];
		uint32_t *to_32 = r->sums[c];
		switch (r->sum_bytes) {
		case 1:
			copy(in, (uint8_t *)r->sums[c] + row + x, step, n);
			break;
		case 2:
			to_16 += row;
			ADD(to_16);
			break;
		case 4:
			to_32 += row;
			ADD(to_32);
			break;
		}
	}
}

static uint32_t sum_at(const struct reduce *r, int c, size_t i)
{
	switch (r->sum_bytes) {
	case 1:
		return ((const uint8_t *)r->sums[c])[i];
	case 2:
		return ((const uint16_t *)r->sums[c])[i];
	}
	return ((const uint32_t *)r->sums[c])[i];
}

// Where a pixel (x, y) goes: origin + x·by_x + y·by_y.
struct turn {
	ptrdiff_t origin, by_x, by_y;
};

static struct turn make_turn(int orientation, int width, int height)
{
	ptrdiff_t w = width, h = height;
	switch (orientation) {
	case 2:
		return (struct turn){ w - 1, -1, w };
	case 3:
		return (struct turn){ w * h - 1, -1, -w };
	case 4:
		return (struct turn){ w * (h - 1), 1, -w };
	case 5:
		return (struct turn){ 0, h, 1 };
	case 6:
		return (struct turn){ h - 1, h, -1 };
	case 7:
		return (struct turn){ w * h - 1, -h, -1 };
	case 8:
		return (struct turn){ h * (w - 1), -h, 1 };
	}
	return (struct turn){ 0, 1, w };
}

// ground: what shows through, of this channel.
static void finish_plane(const struct reduce *r, int c, uint32_t ground, struct turn turn, uint8_t *plane)
{
	bool has_alpha = r->row[REDUCE_ALPHA];
	size_t i = 0;
	for (int y = 0; y < r->n_rows; y++) {
		uint32_t high = (uint32_t)smaller(r->factor, r->height - y * r->factor);
		uint8_t *to = plane + turn.origin + y * turn.by_y;
		for (int x = 0; x < r->n_columns; x++, i++, to += turn.by_x) {
			uint32_t n = high * (uint32_t)smaller(r->factor, r->width - x * r->factor);
			uint64_t sum = sum_at(r, c, i), whole = 255 * (uint64_t)n;
			if (has_alpha)
				*to = (uint8_t)((sum * 255 + ground * (whole - sum_at(r, REDUCE_ALPHA, i)) + whole / 2) / whole);
			else
				*to = (uint8_t)((sum + n / 2) / n);
		}
	}
}

// The same in place for planes of samples.
static void lay_on(uint8_t *plane, const uint8_t *alpha, size_t n, unsigned ground)
{
	for (size_t i = 0; i < n; i++)
		plane[i] = (uint8_t)((plane[i] * alpha[i] + ground * (255u - alpha[i]) + 127) / 255);
}

int reduce_finish(struct reduce *r, int orientation, struct picture *picture, struct err *e)
{
	size_t n = (size_t)r->n_columns * (size_t)r->n_rows;
	int n_planes = r->colour ? 3 : 1;
	unsigned grounds[] = { 2 * r->light > 255 * r->visible ? 0 : 255, 128, 128 };
	bool unscaled = r->sum_bytes == 1, turned = orientation > 1;
	for (int c = 0; unscaled && r->row[REDUCE_ALPHA] && c < n_planes; c++)
		lay_on(r->sums[c], r->sums[REDUCE_ALPHA], n, grounds[c]);
	uint8_t *planes = r->sums[REDUCE_LUMA];
	if (!unscaled || turned) {
		planes = malloc(n * (size_t)n_planes);
		if (!planes)
			return err_set(e, "no memory for a picture of %d×%d pixels", r->n_columns, r->n_rows);
		if (unscaled) { // alpha is used up
			free(r->sums[REDUCE_ALPHA]);
			r->sums[REDUCE_ALPHA] = NULL;
			r->row[REDUCE_ALPHA] = NULL;
		}
		struct turn turn = make_turn(orientation, r->n_columns, r->n_rows);
		for (int c = 0; c < n_planes; c++)
			finish_plane(r, c, grounds[c], turn, planes + (size_t)c * n);
	} else {
		r->sums[REDUCE_LUMA] = NULL;
		uint8_t *less = r->row[REDUCE_CB] && n_planes == 1 ? realloc(planes, n) : NULL;
		planes = less ? less : planes;
	}
	bool sideways = orientation > 4;
	*picture = (struct picture){ .width = sideways ? r->n_rows : r->n_columns,
				     .height = sideways ? r->n_columns : r->n_rows,
				     .sent_width = sideways ? r->height : r->width,
				     .sent_height = sideways ? r->width : r->height,
				     .luma = planes,
				     .cb = n_planes > 1 ? planes + n : NULL,
				     .cr = n_planes > 1 ? planes + 2 * n : NULL };
	return 0;
}
