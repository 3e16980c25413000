// The tree is built on horizontal runs of equal value rather than on pixels: a canvas has few of them. In noise there are many; then
// grey values are merged, two or more to a level, until the runs fit the memory set aside.
//
// Of each node of the tree are known its area, its box and its outline. The sum of the steps across the outline needs no look at the
// outline: a pixel that joins brings in the steps to its outer neighbours and takes away those to inner ones, which together is the
// sum of its differences to all its neighbours, whatever the order in which they join.
#include "core/picture/regions.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 256, MAX_RUNS = 1 << 17 };

struct run {
	uint16_t left, right, y; // [left, right)
	uint8_t level;
	bool active; // has joined
	uint32_t above, below; // the first run of that row which may touch it
};

struct node {
	uint32_t parent;
	uint32_t root, size,
		top; // sets of runs, joined by size (Tarjan): their size, and the node of all of them, are kept in the root
	uint32_t first; // of a mark: the first of those with nearly the same box, which its box is compared with, lest they drift
	uint32_t best; // the node whose outline is the steepest among those with nearly the same box, itself and below
	int32_t area, outline, on_border, steps;
	uint16_t left, top_row, right, bottom;
};

struct tree {
	const struct image *plane;
	int n_runs, step; // grey values a level
	struct run *runs; // (n_runs), row by row
	uint32_t *rows; // (height + 1), each row's first run
	uint32_t *order; // (n_runs), by level
	struct node *nodes; // (n_runs): a run is the node that it was the last to complete
};

static const uint8_t *row_of(const struct image *plane, int y)
{
	return plane->pixels + (size_t)y * (size_t)plane->width;
}

// Fills runs and rows with `step` grey values a level. False: they do not fit.
static bool make_runs(struct tree *t)
{
	uint8_t levels[LEVELS];
	for (int i = 0; i < LEVELS; i++)
		levels[i] = (uint8_t)(i / t->step);
	uint32_t n = 0;
	int width = t->plane->width;
	for (int y = 0; y < t->plane->height; y++) {
		const uint8_t *row = row_of(t->plane, y);
		t->rows[y] = n;
		for (int x = 0; x < width;) {
			int left = x;
			uint8_t level = levels[row[x]];
			x++;
			if (t->step == 1) // eight at a time, as on most of a canvas
				for (uint64_t eight; x + 8 <= width; x += 8) {
					memcpy(&eight, row + x, sizeof eight);
					if (eight != level * 0x0101010101010101u)
						break;
				}
			while (x < width && levels[row[x]] == level)
				x++;
			if (n == MAX_RUNS)
				return false;
			t->runs[n++] = (struct run){ (uint16_t)left, (uint16_t)x, (uint16_t)y, level, false, 0, 0 };
		}
	}
	t->rows[t->plane->height] = n;
	t->n_runs = (int)n;
	return true;
}

// For each run of row y, the first of row z whose right end reaches it, diagonally too.
static void link_rows(struct tree *t, int y, int z, bool above)
{
	uint32_t j = t->rows[z], end = t->rows[z + 1];
	for (uint32_t i = t->rows[y]; i < t->rows[y + 1]; i++) {
		while (j + 1 < end && t->runs[j].right < t->runs[i].left)
			j++;
		*(above ? &t->runs[i].above : &t->runs[i].below) = j;
	}
}

static void sort_runs(struct tree *t)
{
	uint32_t starts[LEVELS + 1] = { 0 };
	for (int i = 0; i < t->n_runs; i++)
		starts[t->runs[i].level + 1]++;
	for (int i = 0; i < LEVELS; i++)
		starts[i + 1] += starts[i];
	for (int i = 0; i < t->n_runs; i++)
		t->order[starts[t->runs[i].level]++] = (uint32_t)i;
}

static uint32_t find_root(struct tree *t, uint32_t i)
{
	struct node *nodes = t->nodes;
	while (nodes[i].root != i) {
		nodes[i].root = nodes[nodes[i].root].root;
		i = nodes[i].root;
	}
	return i;
}

// Joins the component of run j, which is active, to that of run i.
static void join(struct tree *t, uint32_t i, uint32_t j)
{
	uint32_t a = find_root(t, i), b = find_root(t, j);
	if (a == b)
		return;
	struct node *to = &t->nodes[i], *from = &t->nodes[t->nodes[b].top];
	from->parent = i;
	to->area += from->area;
	to->outline += from->outline;
	to->on_border += from->on_border;
	to->steps += from->steps;
	to->left = from->left < to->left ? from->left : to->left;
	to->top_row = from->top_row < to->top_row ? from->top_row : to->top_row;
	to->right = from->right > to->right ? from->right : to->right;
	to->bottom = from->bottom > to->bottom ? from->bottom : to->bottom;
	uint32_t large = t->nodes[a].size < t->nodes[b].size ? b : a, small = large == a ? b : a;
	t->nodes[small].root = large;
	t->nodes[large].size += t->nodes[small].size;
	t->nodes[large].top = i;
}

static void join_row(struct tree *t, uint32_t i, uint32_t j, int row)
{
	const struct run *run = &t->runs[i];
	for (uint32_t end = t->rows[row + 1]; j < end && t->runs[j].left <= run->right; j++) {
		const struct run *other = &t->runs[j];
		if (!other->active || other->right < run->left)
			continue;
		int left = other->left > run->left ? other->left : run->left;
		int right = other->right < run->right ? other->right : run->right;
		if (right > left)
			t->nodes[i].outline -= 2 * (right - left);
		join(t, i, j);
	}
}

// The sum of the differences of the run's pixels to all their neighbours.
static int sum_steps(const struct image *plane, const struct run *run)
{
	const uint8_t *row = row_of(plane, run->y);
	const uint8_t *above = run->y > 0 ? row - plane->width : row;
	const uint8_t *below = run->y + 1 < plane->height ? row + plane->width : row;
	int sum = 0;
	for (int x = run->left; x < run->right; x++)
		sum += above[x] + below[x] - 2 * row[x];
	if (run->left > 0)
		sum += row[run->left - 1] - row[run->left];
	if (run->right < plane->width)
		sum += row[run->right] - row[run->right - 1];
	return sum;
}

static void add_run(struct tree *t, uint32_t i)
{
	struct run *run = &t->runs[i];
	int length = run->right - run->left, width = t->plane->width, height = t->plane->height;
	int on_border = (run->left == 0) + (run->right == width) + (run->y == 0) * length + (run->y == height - 1) * length;
	t->nodes[i] = (struct node){
		.parent = i,
		.root = i,
		.size = 1,
		.top = i,
		.first = i,
		.best = i,
		.area = length,
		.outline = 2 + 2 * length - on_border,
		.on_border = on_border,
		.steps = sum_steps(t->plane, run),
		.left = run->left,
		.top_row = run->y,
		.right = run->right,
		.bottom = (uint16_t)(run->y + 1),
	};
	run->active = true;
	if (run->left > 0 && t->runs[i - 1].active) {
		t->nodes[i].outline -= 2;
		join(t, i, i - 1);
	}
	if (run->right < width && t->runs[i + 1].active) {
		t->nodes[i].outline -= 2;
		join(t, i, i + 1);
	}
	if (run->y > 0)
		join_row(t, i, run->above, run->y - 1);
	if (run->y + 1 < height)
		join_row(t, i, run->below, run->y + 1);
}

static int longer_side(const struct node *n)
{
	int width = n->right - n->left, height = n->bottom - n->top_row;
	return width > height ? width : height;
}

static float edge_of(const struct node *n)
{
	return n->outline > 0 ? (float)n->steps / (float)n->outline : 0;
}

// A longer outline makes up for a lesser step: a stroke that pales over a part of its length is one, with that part.
static float contrast_of(const struct node *n)
{
	return edge_of(n) * sqrtf((float)n->outline);
}

// Strokes, rather than a surface, a blob, a line that runs out of the picture, or what surrounds the sheet. The mean width of strokes is
// 2·area/outline; noise makes an outline longer than it is, so surfaces are told by how much of their box they fill, too.
static bool is_mark(const struct tree *t, const struct node *n, const struct regions_limits *limits)
{
	int width = n->right - n->left, height = n->bottom - n->top_row, longer = longer_side(n), shorter = width + height - longer;
	int sides = n->outline + n->on_border, border = 2 * (t->plane->width + t->plane->height);
	if (longer < limits->min_side || edge_of(n) < limits->min_edge)
		return false;
	if (limits->any)
		return true;
	bool is_blob = 2.0f * (float)n->area > 0.42f * (float)(longer * sides) ||
		       (2 * shorter > longer && 10.0f * (float)n->area > 7.0f * (float)width * (float)height);
	bool is_surround = 5 * n->on_border > 3 * border || 10 * n->on_border > 6 * n->outline;
	return !is_blob && !is_surround && !(n->on_border && 10 * shorter < longer);
}

// Whether a parent's box is nearly that of its child.
static bool is_same(const struct node *child, const struct node *parent)
{
	return 4 * longer_side(parent) <= 5 * longer_side(child) + 8 && parent->area <= 3 * child->area;
}

static float rank_of(const struct region *r)
{
	int width = r->right - r->left, height = r->bottom - r->top;
	return r->edge * sqrtf((float)(width > height ? width : height));
}

static struct region region_of(const struct tree *t, uint32_t i)
{
	const struct node *n = &t->nodes[i];
	const struct run *run = &t->runs[i];
	int threshold = (run->level + 1) * t->step - 1;
	return (struct region){ n->left, n->top_row, n->right,     n->bottom, run->left, run->y, threshold > 255 ? 255 : threshold,
				n->area, n->outline, n->on_border, edge_of(n) };
}

struct selection {
	struct region *regions;
	int n, max;
};

// Keeps the best max.
static void give_out(struct selection *s, const struct tree *t, uint32_t i)
{
	struct region region = region_of(t, i);
	int at = s->n;
	while (at > 0 && rank_of(&s->regions[at - 1]) < rank_of(&region))
		at--;
	if (at == s->max)
		return;
	s->n += s->n < s->max;
	memmove(s->regions + at + 1, s->regions + at, (size_t)(s->n - 1 - at) * sizeof region);
	s->regions[at] = region;
}

// A parent keeps the most conspicuous mark of its children; the others are given out.
static void offer(struct selection *s, struct tree *t, uint32_t mark, uint32_t parent)
{
	uint32_t *kept = &t->nodes[parent].best;
	if (*kept == parent) {
		*kept = mark;
		return;
	}
	struct region a = region_of(t, mark), b = region_of(t, *kept);
	bool better = rank_of(&a) > rank_of(&b);
	give_out(s, t, better ? *kept : mark);
	if (better)
		*kept = mark;
}

// From the leaves up: a node hands the best mark below it to its parent as long as that has nearly the same box.
static void select_regions(struct tree *t, const struct regions_limits *limits, struct selection *s)
{
	for (int k = 0; k < t->n_runs; k++) {
		uint32_t i = t->order[k];
		struct node *node = &t->nodes[i];
		uint32_t best = node->best, up = node->parent;
		bool complete = up == i || t->runs[up].level > t->runs[i].level;
		if (complete) {
			if (best != i && !is_same(&t->nodes[t->nodes[best].first], node)) {
				give_out(s, t, best);
				best = i;
			}
			if (is_mark(t, node, limits) && contrast_of(node) >= contrast_of(&t->nodes[best])) {
				node->first = t->nodes[best].first;
				best = i;
			}
			if (best == i && !is_mark(t, node, limits))
				continue;
			if (up == i) {
				give_out(s, t, best);
				continue;
			}
		} else if (best == i) {
			continue;
		}
		offer(s, t, best, up);
	}
}

static int build_and_select(struct tree *t, const struct regions_limits *limits, struct region *regions, int max)
{
	for (t->step = limits->step; !make_runs(t); t->step *= 2)
		;
	for (int y = 0; y < t->plane->height; y++) {
		if (y > 0)
			link_rows(t, y, y - 1, true);
		if (y + 1 < t->plane->height)
			link_rows(t, y, y + 1, false);
	}
	sort_runs(t);
	for (int k = 0; k < t->n_runs; k++)
		add_run(t, t->order[k]);
	struct selection s = { regions, 0, max };
	select_regions(t, limits, &s);
	return s.n;
}

int regions_find(const struct image *plane, const struct regions_limits *limits, struct region *regions, int max, struct err *e)
{
	size_t n_pixels = (size_t)plane->width * (size_t)plane->height, room = n_pixels < MAX_RUNS ? n_pixels : MAX_RUNS;
	struct tree t = { .plane = plane };
	char *memory =
		malloc(room * (sizeof *t.runs + sizeof *t.nodes + sizeof *t.order) + ((size_t)plane->height + 1) * sizeof *t.rows);
	if (!memory)
		return err_set(e, "no memory to look at a picture of %d×%d pixels", plane->width, plane->height);
	t.nodes = (struct node *)memory;
	t.runs = (struct run *)(t.nodes + room);
	t.order = (uint32_t *)(t.runs + room);
	t.rows = t.order + room;
	int n = build_and_select(&t, limits, regions, max);
	free(memory);
	return n;
}

void regions_fill(const struct image *plane, const struct region *region, uint8_t value, uint8_t *mask, uint32_t *stack)
{
	int width = plane->width, height = plane->height;
	size_t n = 0;
	uint32_t first = (uint32_t)(region->y * width + region->x);
	mask[first] = value;
	stack[n++] = first;
	while (n > 0) {
		uint32_t at = stack[--n];
		int x = (int)at % width, y = (int)at / width;
		for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < height; v++)
			for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < width; u++) {
				size_t to = (size_t)v * (size_t)width + (size_t)u;
				if (mask[to] != value && plane->pixels[to] <= region->threshold) {
					mask[to] = value;
					stack[n++] = (uint32_t)to;
				}
			}
	}
}
