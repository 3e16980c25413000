// A picture is first looked at coarsely, which is quick and leaves most noise behind; if the marks there are small, again more closely.
#include "core/picture/candidates.h"

#include "core/picture/mnist.h"
#include "core/picture/parts.h"
#include "core/picture/planes.h"
#include "core/picture/steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Of a picture's longer side about COARSE_SIDE pixels are looked at, and up to FINE_SIDE if a mark has fewer than SMALL_SIDE.
enum { COARSE_SIDE = 160, FINE_SIDE = 512, SMALL_SIDE = 32 };

struct look {
	bool any; // the last resort: whatever stands out
	int max, min_side; // of the candidates when it is done; of their longer sides in the planes
	struct planes planes;
	struct parts parts;
};

// The candidates of all looks, with their marks.
struct finds {
	struct candidates *c;
	struct mark marks[CANDIDATES_MAX];
	int reductions[CANDIDATES_MAX]; // of the marks' planes
	struct steps *steps; // or NULL
};

static int max(int a, int b)
{
	return a > b ? a : b;
}

static int longer_of(const struct mark *m)
{
	return max(m->right - m->left, m->bottom - m->top);
}

// The median grey value of the mark's pixels in a plane.
static int ink_of(const struct image *plane, const struct mark *m)
{
	int counts[256] = { 0 }, below = 0, ink = 0;
	for (int y = m->top; y < m->bottom; y++)
		for (int x = m->left; x < m->right; x++)
			counts[plane->pixels[y * plane->width + x]] += m->mask[(y - m->top) * (m->right - m->left) + x - m->left];
	while (2 * (below += counts[ink]) < m->area && ink < 255)
		ink++;
	return ink;
}

// Whether the mark is no ink, but paper that strokes enclose: most of what lies around it, as far as it is long, is as dark.
static bool is_paper(const struct look *s, const struct mark *m, enum plane plane)
{
	const struct image *p = &s->planes.at[planes_is_light(plane) ? PLANES_LIGHT : PLANES_DARK];
	int ink = ink_of(p, m), far = longer_of(m), n = 0, n_ink = 0;
	for (int y = max(m->top - far, 0); y < p->height && y < m->bottom + far; y += 2)
		for (int x = max(m->left - far, 0); x < p->width && x < m->right + far; x += 2) {
			bool inside = x >= m->left && x < m->right && y >= m->top && y < m->bottom;
			if (inside && m->mask[(y - m->top) * (m->right - m->left) + x - m->left])
				continue;
			n++;
			n_ink += (float)abs(p->pixels[y * p->width + x] - ink) < 0.4f * m->edge;
		}
	return 5 * n_ink > 3 * n;
}

// Draws the mark, unless what surrounds it is no ground: it is then what strokes enclose. min_side: of a mark that is drawn.
static int add_candidate(struct finds *f, const struct look *s, struct mark *mark, enum plane plane, struct err *e)
{
	struct candidates *c = f->c;
	if (c->n == s->max || longer_of(mark) < s->min_side)
		return 0;
	int k = s->planes.reduction, drawn = mark_draw(&s->planes.at[plane], mark, c->pixels[c->n], e);
	if (drawn <= 0 || ((mark->ground <= 0.6f || is_paper(s, mark, plane)) && !s->any))
		return drawn < 0 ? -1 : 0;
	if (mark_copy(mark, &f->marks[c->n], e))
		return -1;
	f->reductions[c->n] = k;
	steps_note_mark(f->steps, plane);
	c->at[c->n++] = (struct candidate){ mark->left * k,         mark->top * k,          mark->right * k,
					    mark->bottom * k,       planes_is_light(plane), mark->edge,
					    mark->width * (float)k, mark->softness,         0 };
	return 0;
}

// Whether mark i has the pixel of mark k's plane.
static bool has_pixel(const struct finds *f, int i, int k, int x, int y)
{
	const struct mark *m = &f->marks[i];
	int u = (2 * x + 1) * f->reductions[k] / (2 * f->reductions[i]),
	    v = (2 * y + 1) * f->reductions[k] / (2 * f->reductions[i]);
	return u >= m->left && u < m->right && v >= m->top && v < m->bottom &&
	       m->mask[(v - m->top) * (m->right - m->left) + u - m->left];
}

static bool holds(const struct finds *f, int i, int k)
{
	const struct mark *part = &f->marks[k];
	int n = 0;
	if (f->c->at[i].is_light != f->c->at[k].is_light || (int64_t)f->marks[i].area * f->reductions[i] * f->reductions[i] <=
								    (int64_t)part->area * f->reductions[k] * f->reductions[k])
		return false;
	for (int y = part->top; y < part->bottom; y++)
		for (int x = part->left; x < part->right; x++)
			n += part->mask[(y - part->top) * (part->right - part->left) + x - part->left] && has_pixel(f, i, k, x, y);
	return 4 * n > 3 * part->area;
}

static void note_parts(struct finds *f)
{
	for (int i = 0; i < f->c->n; i++)
		for (int k = 0; k < f->c->n; k++)
			f->c->at[i].parts |= (uint32_t)holds(f, i, k) << k;
}

// How far two boxes are apart.
static int gap(const struct mark *a, const struct mark *b)
{
	int x = a->left > b->right ? a->left - b->right : b->left > a->right ? b->left - a->right : 0;
	int y = a->top > b->bottom ? a->top - b->bottom : b->top > a->bottom ? b->top - a->bottom : 0;
	return x > y ? x : y;
}

// A part with what lies near it and is as dark, since a digit may be drawn in several strokes.
static int add_group(struct finds *f, struct look *s, int i, struct err *e)
{
	struct part *p = &s->parts.at[i];
	uint32_t members = 1u << i;
	struct mark group;
	if (mark_copy(&p->mark, &group, e))
		return -1;
	for (bool grew = true; grew;) {
		grew = false;
		for (int j = 0; j < s->parts.n; j++) {
			struct part *q = &s->parts.at[j];
			if (members >> j & 1 || planes_is_light(q->plane) != planes_is_light(p->plane) ||
			    q->mark.edge < 0.4f * p->mark.edge || q->rank > p->rank || mark_contains(&group, &q->mark) ||
			    mark_contains(&q->mark, &p->mark) || 4 * gap(&group, &q->mark) > longer_of(&p->mark) ||
			    2 * longer_of(&q->mark) > 3 * longer_of(&p->mark))
				continue;
			struct mark both;
			if (mark_join(&group, &q->mark, &both, e)) {
				mark_free(&group);
				return -1;
			}
			mark_free(&group);
			group = both;
			members |= 1u << j;
			grew = true;
		}
	}
	int status = members == 1u << i ? 0 : add_candidate(f, s, &group, p->plane, e);
	mark_free(&group);
	return status;
}

// In turns of dark and light ones: what strokes enclose may stand out more than they do.
static int add_candidates(struct finds *f, struct look *s, struct err *e)
{
	int next[2] = { 0, 0 }; // [is_light]
	for (int turn = s->parts.n && planes_is_light(s->parts.at[0].plane); next[0] < s->parts.n || next[1] < s->parts.n;
	     turn = !turn) {
		int *i = &next[turn];
		while (*i < s->parts.n && planes_is_light(s->parts.at[*i].plane) != turn)
			++*i;
		if (*i == s->parts.n)
			continue;
		if (add_candidate(f, s, &s->parts.at[*i].mark, s->parts.at[*i].plane, e) || add_group(f, s, *i, e))
			return -1;
		++*i;
	}
	return 0;
}

// The reduction at which the smaller of the first two parts has SMALL_SIDE pixels; half of that of the look if nothing was found.
static int look_closer(const struct look *s)
{
	int least = SMALL_SIDE;
	for (int i = 0; i < s->parts.n && i < 2; i++)
		least = longer_of(&s->parts.at[i].mark) < least ? longer_of(&s->parts.at[i].mark) : least;
	return s->parts.n ? least * s->planes.reduction / SMALL_SIDE : s->planes.reduction / 2;
}

// Adds what is found in the picture reduced by *k; but if a closer look is worth while, at `least` or more, only what is large, and *k is
// changed to it.
static int find_at(const struct image *image, int *k, int least, bool any, struct search_stop *stop, struct finds *f, struct err *e)
{
	struct look s = { .any = any, .max = CANDIDATES_MAX };
	uint8_t *erased = NULL;
	int status = planes_make(image, *k, &s.planes, e) || steps_allocate(f->steps, &s.planes, &erased, e) ||
				     parts_find(&s.planes, any, stop, erased, &s.parts, e)
			     ? -1
			     : 0;
	int closer = max(look_closer(&s), least);
	if (closer < *k) {
		s.max = CANDIDATES_MAX / 2;
		s.min_side = SMALL_SIDE;
		*k = closer;
	}
	status = status || add_candidates(f, &s, e) ? -1 : 0;
	parts_free(&s.parts);
	steps_keep_look(f->steps, &s.planes, erased);
	planes_free(&s.planes);
	return status;
}

// At least 1, and no more than the shorter side has pixels.
static int reduction_to(const struct image *image, int side)
{
	int longer = max(image->width, image->height), shorter = image->width + image->height - longer,
	    k = (longer + side / 2) / side;
	return k < 1 ? 1 : k > shorter ? shorter : k;
}

int candidates_find(const struct image *image, struct candidates *c, struct err *e)
{
	return candidates_search(image, NULL, NULL, c, e);
}

int candidates_search(const struct image *image, struct search_stop *stop, struct steps *steps, struct candidates *c, struct err *e)
{
	if (mnist_is_its_form(image)) {
		c->n = 1;
		c->at[0] = (struct candidate){ 0, 0, image->width, image->height, true, 255, 3, 0, 0 };
		memcpy(c->pixels[0], image->pixels, LENET5_PIXELS);
		return 0;
	}
	struct finds f = { .c = c, .steps = steps };
	int least = reduction_to(image, FINE_SIDE), k = reduction_to(image, COARSE_SIDE), before, status;
	c->n = 0;
	do {
		before = k;
		status = find_at(image, &k, least, false, stop, &f, e);
	} while (!status && k < before);
	// Nothing that looks like strokes; a dot, or a drawing that has just begun, is still something.
	k = reduction_to(image, COARSE_SIDE);
	if (!status && c->n == 0)
		status = find_at(image, &k, k, true, stop, &f, e);
	note_parts(&f);
	steps_keep_marks(steps, f.marks);
	for (int i = 0; i < c->n; i++)
		mark_free(&f.marks[i]);
	return status;
}
