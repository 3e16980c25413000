#include "core/picture/parts.h"

#include "core/picture/regions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REGIONS = 32, MAX_PIECES = 6, TINY_SIDE = 32 };

struct search {
	const struct planes *planes;
	bool any; // the last resort: whatever stands out
	uint8_t *lines[2]; // (height, width), [is_light]: 1 where a frame is, or a line that runs out of the picture
	uint8_t *erased[2]; // (height, width), [is_light]: 1 where any other line was taken out; or NULL
	uint8_t *scratch; // (height, width), 0
	uint32_t *stack; // (height, width)
	struct parts *parts;
};

// The steepness of a mark's outline, of that of one with nearly the same box whose place it takes; a larger one goes on where that pales.
static const float MUCH_STEEPER = 1.3f, NEARLY_AS_STEEP = 0.8f;

static int max(int a, int b)
{
	return a > b ? a : b;
}

static int longer_of(const struct mark *m)
{
	return max(m->right - m->left, m->bottom - m->top);
}

// Sets the mark's pixels in lines, (height, width), but for those of `rest`, unless it is NULL.
static void note_lines(const struct search *s, const struct mark *m, const struct mark *rest, uint8_t *lines)
{
	int width = s->planes->width, w = m->right - m->left;
	for (int y = m->top; y < m->bottom; y++)
		for (int x = m->left; x < m->right; x++) {
			int i = (y - m->top) * w + x - m->left;
			lines[y * width + x] |= m->mask[i] && !(rest && rest->mask[i]);
		}
}

// A frame or a part of one: nearly all of it is straight lines as long as its sides, level and upright, or one level line. Its pixels are
// noted as lines, since its pieces are lines, too.
static bool is_frame(struct search *s, const struct mark *m, enum plane plane, struct err *e)
{
	enum { LEAST_SIDE = 24 };
	struct mark rest;
	int w = m->right - m->left, h = m->bottom - m->top;
	if (10 * h < w) {
		note_lines(s, m, NULL, s->lines[planes_is_light(plane)]);
		return true;
	}
	if (5 * w < h || w < LEAST_SIDE || h < LEAST_SIDE || mark_copy(m, &rest, e))
		return false;
	struct mark_lines lines =
		mark_strip_lines(&rest, 3 * w / 4, 3 * h / 4, 2 + (w < h ? w : h) / 12, NULL, &s->planes->at[plane]);
	bool is = lines.n_level > 0 && lines.n_upright > 0 && lines.n_level + lines.n_upright > 2 && 3 * rest.area < m->area;
	if (is)
		note_lines(s, m, &rest, s->lines[planes_is_light(plane)]);
	mark_free(&rest);
	return is;
}

static bool is_nearly(const struct mark *a, const struct mark *b)
{
	int apart = abs(a->left - b->left) + abs(a->right - b->right) + abs(a->top - b->top) + abs(a->bottom - b->bottom);
	return apart <= longer_of(a) / 5 && a->area < 2 * b->area && b->area < 2 * a->area;
}

static bool is_larger(const struct mark *a, const struct mark *b)
{
	return mark_contains(a, b) && longer_of(a) > longer_of(b);
}

static void drop_part(struct parts *parts, int i)
{
	mark_free(&parts->at[i].mark);
	memmove(parts->at + i, parts->at + i + 1, (size_t)(--parts->n - i) * sizeof *parts->at);
}

// Takes ownership of the mark. Keeps the most conspicuous ones, and of two that are nearly the same the first, unless the second is much
// steeper or larger. A piece is kept beside the region that it comes from.
static void add_part(struct search *s, struct mark *mark, enum plane plane, bool is_piece, struct err *e)
{
	struct parts *parts = s->parts;
	float rank = mark->edge * sqrtf((float)longer_of(mark));
	bool is_known = false;
	for (int i = parts->n - 1; i >= 0; i--) {
		struct part *other = &parts->at[i];
		if (planes_is_light(other->plane) != planes_is_light(plane) || (is_piece && !other->is_piece) ||
		    !is_nearly(&other->mark, mark))
			continue;
		float needed = other->mark.edge * (is_larger(mark, &other->mark) ? NEARLY_AS_STEEP : MUCH_STEEPER);
		bool is_replaced = !is_piece && !other->is_piece && mark->edge > needed;
		is_known |= !is_replaced;
		if (is_replaced)
			drop_part(parts, i);
	}
	int at = parts->n;
	while (at > 0 && parts->at[at - 1].rank < rank)
		at--;
	if (is_known || at == PARTS_MAX) {
		mark_free(mark);
		return;
	}
	if (parts->n == PARTS_MAX)
		mark_free(&parts->at[--parts->n].mark);
	memmove(parts->at + at + 1, parts->at + at, (size_t)(parts->n - at) * sizeof *parts->at);
	parts->at[at] = (struct part){ *mark, plane, is_piece, is_frame(s, mark, plane, e), rank };
	parts->n++;
}

// Whether a larger region, with as steep an edge, holds region i.
static bool is_fragment(const struct region *regions, const struct mark *marks, int n, int i)
{
	const struct region *a = &regions[i];
	for (int k = 0; k < n; k++) {
		const struct region *b = &regions[k];
		const struct mark *m = &marks[k];
		if (k != i && !b->on_border && b->threshold > a->threshold && a->x >= m->left && a->x < m->right &&
		    a->y >= m->top && a->y < m->bottom && m->mask[(a->y - m->top) * (m->right - m->left) + a->x - m->left] &&
		    2 * longer_of(&marks[i]) < longer_of(m) && a->edge < 1.3f * b->edge)
			return true;
	}
	return false;
}

// Takes a region apart that spans the picture or touches its border. *is_lines: it was little but lines that run out of the picture.
static int add_pieces(struct search *s, const struct region *region, const struct mark *mark, enum plane which, int min_side,
		      bool *is_lines, struct err *e)
{
	const struct image *plane = &s->planes->at[which];
	int shorter = plane->width < plane->height ? plane->width : plane->height;
	struct mark rest, pieces[MAX_PIECES];
	if (mark_copy(mark, &rest, e))
		return -1;
	struct mark_lines lines = mark_strip_lines(&rest, 4 * plane->width / 5, 4 * plane->height / 5, 2 + shorter / 16,
						   region->on_border ? s->lines[planes_is_light(which)] : NULL, plane);
	int n = lines.n_level + lines.n_upright ? mark_pieces(&rest, min_side, pieces, MAX_PIECES, e) : 0;
	*is_lines = region->on_border && 2 * rest.area < mark->area;
	if (s->erased[planes_is_light(which)] && n > 0)
		note_lines(s, mark, &rest, s->erased[planes_is_light(which)]);
	mark_free(&rest);
	for (int i = 0; i < n; i++)
		add_part(s, &pieces[i], which, true, e);
	return n < 0 ? -1 : 0;
}

// Takes ownership of the mark.
static int add_region(struct search *s, const struct region *region, struct mark *mark, enum plane which, int min_side,
		      struct err *e)
{
	const struct image *plane = &s->planes->at[which];
	bool is_lines = false;
	bool spans = 4 * (mark->right - mark->left) > 3 * plane->width || 4 * (mark->bottom - mark->top) > 3 * plane->height;
	bool is_tiny = plane->width < TINY_SIDE && plane->height < TINY_SIDE; // lines are as short as strokes
	int status = !is_tiny && (spans || region->on_border) ? add_pieces(s, region, mark, which, min_side, &is_lines, e) : 0;
	if (status || is_lines)
		mark_free(mark);
	else
		add_part(s, mark, which, false, e);
	return status;
}

static int look(struct search *s, enum plane which, struct err *e)
{
	const struct image *plane = &s->planes->at[which];
	float noise = s->planes->noise[which];
	float min_edge = s->any ? fmaxf(6 * noise, 12) : fmaxf(3.5f * noise + 1.5f, 3);
	struct regions_limits limits = { s->any ? 3 : 5 + max(plane->width, plane->height) / 40, min_edge, s->any,
					 1 + (int)(noise + 0.5f) };
	struct region regions[MAX_REGIONS];
	struct mark marks[MAX_REGIONS] = { 0 };
	int n = regions_find(plane, &limits, regions, MAX_REGIONS, e), status = n < 0 ? -1 : 0;
	for (int i = 0; i < n && !status; i++)
		status = mark_from_region(plane, &regions[i], s->scratch, s->stack, &marks[i], e);
	bool is_whole[MAX_REGIONS];
	for (int i = 0; i < n && !status; i++)
		is_whole[i] = !is_fragment(regions, marks, n, i);
	for (int i = 0; i < n && !status; i++)
		if (is_whole[i]) {
			status = add_region(s, &regions[i], &marks[i], which, limits.min_side, e);
			marks[i].mask = NULL;
		}
	for (int i = 0; i < n; i++)
		mark_free(&marks[i]);
	return status;
}

// Whether most of a part was erased as lines from a larger one.
static bool is_line(const struct search *s, const struct part *p)
{
	const struct mark *m = &p->mark;
	int n = 0, width = s->planes->width;
	for (int y = m->top; y < m->bottom; y++)
		for (int x = m->left; x < m->right; x++)
			n += m->mask[(y - m->top) * (m->right - m->left) + x - m->left] &&
			     s->lines[planes_is_light(p->plane)][y * width + x];
	return 5 * n > 4 * m->area;
}

// Drops pieces of lines and frames, and frames themselves if there is anything else.
static void drop_lines(struct search *s)
{
	bool keep[PARTS_MAX], others = false;
	int n = 0;
	for (int i = 0; i < s->parts->n; i++) {
		keep[i] = !s->parts->at[i].is_frame && !is_line(s, &s->parts->at[i]);
		others |= keep[i];
	}
	for (int i = 0; i < s->parts->n; i++)
		if (keep[i] || (s->parts->at[i].is_frame && !others))
			s->parts->at[n++] = s->parts->at[i];
		else
			mark_free(&s->parts->at[i].mark);
	s->parts->n = n;
}

int parts_find(const struct planes *planes, bool any, struct search_stop *stop, uint8_t *erased, struct parts *parts, struct err *e)
{
	size_t n = (size_t)planes->width * (size_t)planes->height;
	uint8_t *masks = calloc(n, 3);
	struct search s = { planes, any, { masks, masks + n }, { erased, erased ? erased + n : NULL }, masks + 2 * n, NULL, parts };
	s.stack = malloc(n * sizeof *s.stack);
	int status = masks && s.stack ? 0 : err_set(e, "no memory to look at a picture");
	parts->n = 0;
	for (enum plane p = 0; p < PLANES_N && !status; p++)
		if (planes->wanted[p])
			status = search_stop_is_due(stop) ? -1 : look(&s, p, e);
	if (!status)
		drop_lines(&s);
	for (size_t i = 0; erased && !status && i < 2 * n; i++)
		erased[i] |= masks[i];
	free(masks);
	free(s.stack);
	return status;
}

void parts_free(struct parts *parts)
{
	for (int i = 0; i < parts->n; i++)
		mark_free(&parts->at[i].mark);
}
