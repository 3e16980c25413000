#include "core/picture/mark.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void mark_free(struct mark *mark)
{
	free(mark->mask);
	mark->mask = NULL;
}

static int width_of(const struct mark *m)
{
	return m->right - m->left;
}

static int height_of(const struct mark *m)
{
	return m->bottom - m->top;
}

static int alloc_mask(struct mark *m, struct err *e)
{
	m->mask = calloc((size_t)width_of(m) * (size_t)height_of(m), 1);
	return m->mask ? 0 : err_set(e, "no memory for a mark");
}

int mark_from_region(const struct image *plane, const struct region *r, uint8_t *scratch, uint32_t *stack, struct mark *mark,
		     struct err *e)
{
	struct mark m = { r->left, r->top, r->right, r->bottom, NULL, r->area, r->edge, 0, 0, 0 };
	if (alloc_mask(&m, e))
		return -1;
	regions_fill(plane, r, 1, scratch, stack);
	size_t width = (size_t)width_of(&m);
	for (int y = m.top; y < m.bottom; y++) {
		uint8_t *from = scratch + (size_t)y * (size_t)plane->width + m.left;
		memcpy(m.mask + (size_t)(y - m.top) * width, from, width);
		memset(from, 0, width);
	}
	*mark = m;
	return 0;
}

static void paint(const struct mark *from, struct mark *to)
{
	for (int y = from->top; y < from->bottom; y++)
		for (int x = from->left; x < from->right; x++)
			if (from->mask[(y - from->top) * width_of(from) + x - from->left])
				to->mask[(y - to->top) * width_of(to) + x - to->left] = 1;
}

static int min(int a, int b)
{
	return a < b ? a : b;
}

static int max(int a, int b)
{
	return a > b ? a : b;
}

int mark_copy(const struct mark *from, struct mark *mark, struct err *e)
{
	struct mark m = *from;
	if (alloc_mask(&m, e))
		return -1;
	memcpy(m.mask, from->mask, (size_t)width_of(&m) * (size_t)height_of(&m));
	*mark = m;
	return 0;
}

int mark_join(const struct mark *a, const struct mark *b, struct mark *mark, struct err *e)
{
	struct mark m = { .left = min(a->left, b->left),
			  .top = min(a->top, b->top),
			  .right = max(a->right, b->right),
			  .bottom = max(a->bottom, b->bottom),
			  .area = a->area + b->area,
			  .edge = a->edge < b->edge ? a->edge : b->edge };
	if (alloc_mask(&m, e))
		return -1;
	paint(a, &m);
	paint(b, &m);
	*mark = m;
	return 0;
}

int mark_pieces(const struct mark *mark, int min_side, struct mark *pieces, int most, struct err *e)
{
	int width = width_of(mark), height = height_of(mark), n = 0;
	size_t n_pixels = (size_t)width * (size_t)height;
	uint8_t *left = malloc(n_pixels);
	uint32_t *stack = malloc(n_pixels * sizeof *stack);
	if (!left || !stack) {
		free(left);
		free(stack);
		return err_set(e, "no memory for a mark's pieces");
	}
	memcpy(left, mark->mask, n_pixels);
	for (size_t at = 0; at < n_pixels; at++) {
		if (left[at] != 1)
			continue;
		struct mark m = { width, height, 0, 0, NULL, 0, mark->edge, 0, 0, 0 };
		size_t n_stack = 0;
		stack[n_stack++] = (uint32_t)at;
		left[at] = 2;
		size_t first = 0;
		while (first < n_stack) { // a queue: the pixels stay listed
			int x = (int)stack[first] % width, y = (int)stack[first] / width;
			first++;
			m.left = min(m.left, x), m.right = max(m.right, x + 1);
			m.top = min(m.top, y), m.bottom = max(m.bottom, y + 1);
			for (int v = max(y - 1, 0); v <= y + 1 && v < height; v++)
				for (int u = max(x - 1, 0); u <= x + 1 && u < width; u++)
					if (left[v * width + u] == 1) {
						left[v * width + u] = 2;
						stack[n_stack++] = (uint32_t)(v * width + u);
					}
		}
		m.area = (int)n_stack;
		if (max(m.right - m.left, m.bottom - m.top) < min_side)
			continue;
		int to = n;
		while (to > 0 && pieces[to - 1].area < m.area)
			to--;
		if (to == most || alloc_mask(&m, e))
			continue;
		for (size_t i = 0; i < n_stack; i++)
			m.mask[((int)stack[i] / width - m.top) * (m.right - m.left) + (int)stack[i] % width - m.left] = 1;
		if (n == most)
			mark_free(&pieces[--n]);
		memmove(pieces + to + 1, pieces + to, (size_t)(n - to) * sizeof *pieces);
		m.left += mark->left, m.right += mark->left;
		m.top += mark->top, m.bottom += mark->top;
		pieces[to] = m;
		n++;
	}
	free(left);
	free(stack);
	return n;
}
