// A picture is first looked at coarsely, which is quick and leaves most noise behind; if the marks there are small, again more closely.
//
// A frame, a table's rules or the lines of ruled paper are often connected with the digit in one region. Then the region is taken apart:
// long straight lines are stripped, and what is left of it, piece by piece, is a mark. Where a region may be a digit itself, it stays one.
#include "core/picture/candidates.h"

#include "core/picture/mark.h"
#include "core/picture/mnist.h"
#include "core/picture/regions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Of a picture's longer side about COARSE_SIDE pixels are looked at, and up to FINE_SIDE if a mark has fewer than SMALL_SIDE.
enum { MAX_REGIONS = 32, MAX_PARTS = 20, MAX_PIECES = 6, COARSE_SIDE = 160, FINE_SIDE = 512, SMALL_SIDE = 32 };

struct part {
	struct mark mark;
	bool is_light;
	bool is_piece; // left over from a region whose lines were stripped
	bool is_frame; // straight lines only
	float rank;
};

struct search {
	bool any; // the last resort: whatever stands out
	struct candidates_stop *stop; // or NULL
	int reduction; // pixels of the picture to one of the planes
	struct image planes[2]; // [is_light]: the picture, and its negative, in which light strokes are dark
	uint8_t *lines[2]; // (height, width), [is_light]: 1 where a frame is, or a line that runs out of the picture
	uint8_t *scratch; // (height, width), 0
	uint32_t *stack; // (height, width)
	struct part parts[MAX_PARTS]; // the most conspicuous first
	int n_parts;
};

static int max(int a, int b)
{
	return a > b ? a : b;
}

static int longer_of(const struct mark *m)
{
	return max(m->right - m->left, m->bottom - m->top);
}

// Means of k×k pixels; what does not fill the last ones is left out.
static struct image reduce(const struct image *in, int k)
{
	struct image out = { in->width / k, in->height / k, NULL };
	uint32_t *sums = malloc((size_t)in->width * sizeof *sums); // of k pixels of a column
	out.pixels = malloc((size_t)out.width * (size_t)out.height);
	for (int y = 0; sums && out.pixels && y < out.height; y++) {
		const uint8_t *row = in->pixels + (size_t)y * (size_t)k * (size_t)in->width;
		for (int x = 0; x < in->width; x++)
			sums[x] = row[x];
		for (int v = 1; v < k; v++)
			for (int x = 0; x < in->width; x++)
				sums[x] += row[(size_t)v * (size_t)in->width + (size_t)x];
		uint32_t n = (uint32_t)(k * k);
		for (int x = 0; x < out.width; x++) {
			uint32_t sum = n / 2;
			for (int u = 0; u < k; u++)
				sum += sums[x * k + u];
			out.pixels[y * out.width + x] = (uint8_t)(sum / n);
		}
	}
	if (!sums) {
		free(out.pixels);
		out.pixels = NULL;
	}
	free(sums);
	return out;
}

// The median of |Laplacian| of white noise is 3.0 standard deviations, its lower quartile 1.4, which is taken of small pictures: most of
// one may be edges.
static float noise_of(const struct image *p)
{
	enum { ENOUGH = 8192 }; // pixels
	uint32_t counts[1021] = { 0 }, n = 0, below = 0;
	int step = 1 + p->width * p->height / ENOUGH;
	for (int y = 1; y + 1 < p->height; y += step)
		for (int x = 1; x + 1 < p->width; x++) {
			const uint8_t *at = p->pixels + y * p->width + x;
			counts[abs(at[-1] + at[1] + at[-p->width] + at[p->width] - 4 * at[0])]++;
			n++;
		}
	bool is_small = n < SMALL_SIDE * SMALL_SIDE;
	int quantile = 0;
	while (n && (is_small ? 4 : 2) * (below += counts[quantile]) < n)
		quantile++;
	return (float)quantile / (is_small ? 1.4f : 3.0f);
}

// A frame or a part of one: nearly all of it is straight lines as long as its sides, level and upright, or one level line.
static bool is_frame(const struct mark *m, const struct image *plane, struct err *e)
{
	enum { LEAST_SIDE = 8 };
	struct mark rest;
	int w = m->right - m->left, h = m->bottom - m->top;
	if (10 * h < w)
		return true;
	if (5 * w < h || w < LEAST_SIDE || h < LEAST_SIDE || mark_copy(m, &rest, e))
		return false;
	struct mark_lines lines = mark_strip_lines(&rest, 3 * w / 4, 3 * h / 4, 2 + (w < h ? w : h) / 12, NULL, plane);
	bool is = lines.n_level > 0 && lines.n_upright > 0 && 3 * rest.area < m->area;
	mark_free(&rest);
	return is;
}

static bool is_nearly(const struct mark *a, const struct mark *b)
{
	int apart = abs(a->left - b->left) + abs(a->right - b->right) + abs(a->top - b->top) + abs(a->bottom - b->bottom);
	return apart <= longer_of(a) / 5 && a->area < 2 * b->area && b->area < 2 * a->area;
}

// Its pieces are frames as well.
static void remember_frame(struct search *s, const struct mark *m, bool is_light)
{
	int width = s->planes[0].width, w = m->right - m->left;
	for (int y = m->top; y < m->bottom; y++)
		for (int x = m->left; x < m->right; x++)
			s->lines[is_light][y * width + x] |= m->mask[(y - m->top) * w + x - m->left];
}

// Takes ownership of the mark. Keeps the most conspicuous ones, and of two that are nearly the same the first, but a piece beside the
// region that it comes from.
static void add_part(struct search *s, struct mark *mark, bool is_light, bool is_piece, struct err *e)
{
	struct part part = { *mark, is_light, is_piece, is_frame(mark, &s->planes[is_light], e),
			     mark->edge * sqrtf((float)longer_of(mark)) };
	if (part.is_frame)
		remember_frame(s, mark, is_light);
	for (int i = 0; i < s->n_parts; i++) {
		const struct part *other = &s->parts[i];
		if (other->is_light == is_light && (!is_piece || other->is_piece) && is_nearly(&other->mark, mark)) {
			mark_free(mark);
			return;
		}
	}
	int at = s->n_parts;
	while (at > 0 && s->parts[at - 1].rank < part.rank)
		at--;
	if (at == MAX_PARTS) {
		mark_free(mark);
		return;
	}
	if (s->n_parts == MAX_PARTS)
		mark_free(&s->parts[--s->n_parts].mark);
	memmove(s->parts + at + 1, s->parts + at, (size_t)(s->n_parts - at) * sizeof part);
	s->parts[at] = part;
	s->n_parts++;
}

// A region that a larger one with as steep an edge holds is a piece of it.
static bool is_fragment(const struct region *regions, int n, int i)
{
	const struct region *a = &regions[i];
	int aw = a->right - a->left, ah = a->bottom - a->top, longer = aw > ah ? aw : ah;
	for (int k = 0; k < n; k++) {
		const struct region *b = &regions[k];
		int bw = b->right - b->left, bh = b->bottom - b->top;
		if (k != i && !b->on_border && b->threshold > a->threshold && b->left <= a->left && b->top <= a->top &&
		    b->right >= a->right && b->bottom >= a->bottom && 2 * longer < (bw > bh ? bw : bh) && a->edge < 1.3f * b->edge)
			return true;
	}
	return false;
}

// Takes a region apart that spans the picture or touches its border. *is_lines: it was little but lines that run out of the picture.
static int add_pieces(struct search *s, const struct region *region, const struct mark *mark, bool is_light, int min_side,
		      bool *is_lines, struct err *e)
{
	const struct image *plane = &s->planes[is_light];
	int shorter = plane->width < plane->height ? plane->width : plane->height;
	struct mark rest, pieces[MAX_PIECES];
	if (mark_copy(mark, &rest, e))
		return -1;
	struct mark_lines lines = mark_strip_lines(&rest, 4 * plane->width / 5, 4 * plane->height / 5, 2 + shorter / 16,
						   region->on_border ? s->lines[is_light] : NULL, plane);
	int n = lines.n_level + lines.n_upright ? mark_pieces(&rest, min_side, pieces, MAX_PIECES, e) : 0;
	*is_lines = region->on_border && 2 * rest.area < mark->area;
	mark_free(&rest);
	for (int i = 0; i < n; i++)
		add_part(s, &pieces[i], is_light, true, e);
	return n < 0 ? -1 : 0;
}

static int add_region(struct search *s, const struct region *region, bool is_light, int min_side, struct err *e)
{
	const struct image *plane = &s->planes[is_light];
	struct mark mark;
	bool is_lines = false;
	if (mark_from_region(plane, region, s->scratch, s->stack, &mark, e))
		return -1;
	bool spans = 4 * (mark.right - mark.left) > 3 * plane->width || 4 * (mark.bottom - mark.top) > 3 * plane->height;
	int status = spans || region->on_border ? add_pieces(s, region, &mark, is_light, min_side, &is_lines, e) : 0;
	if (status || is_lines)
		mark_free(&mark);
	else
		add_part(s, &mark, is_light, false, e);
	return status;
}

// False if three quarters of the plane have one grey value, and hardly a pixel is darker: a canvas has strokes of one polarity only.
static bool has_dark(const struct image *plane)
{
	size_t n = (size_t)plane->width * (size_t)plane->height, n_darker = 0;
	uint32_t counts[256] = { 0 };
	int ground = 0;
	for (size_t i = 0; i < n; i++)
		counts[plane->pixels[i]]++;
	while (ground < 255 && 4 * (size_t)counts[ground] <= 3 * n)
		ground++;
	for (int i = 0; i < ground - 8; i++)
		n_darker += counts[i];
	return 4 * (size_t)counts[ground] <= 3 * n || n_darker > n / 1024;
}

static int look(struct search *s, bool is_light, float noise, struct err *e)
{
	const struct image *plane = &s->planes[is_light];
	if (s->stop && (s->stop->stopped = s->stop->is_due(s->stop->arg)))
		return -1;
	if (!has_dark(plane))
		return 0;
	float min_edge = s->any ? fmaxf(6 * noise, 12) : fmaxf(3.5f * noise, 3);
	struct regions_limits limits = { s->any ? 3 : 5 + max(plane->width, plane->height) / 40, min_edge, s->any,
					 1 + (int)(noise + 0.5f) };
	struct region regions[MAX_REGIONS];
	int n = regions_find(plane, &limits, regions, MAX_REGIONS, e);
	for (int i = 0; i < n; i++)
		if (!is_fragment(regions, n, i) && add_region(s, &regions[i], is_light, limits.min_side, e))
			return -1;
	return n < 0 ? -1 : 0;
}

// Draws the mark, unless what surrounds it is no ground: it is then what strokes enclose.
static int add_candidate(struct candidates *c, const struct search *s, struct mark *mark, bool is_light, struct err *e)
{
	if (c->n == CANDIDATES_MAX)
		return 0;
	int k = s->reduction, drawn = mark_draw(&s->planes[is_light], mark, c->pixels[c->n], e);
	if (drawn > 0 && (mark->ground > 0.6f || s->any))
		c->at[c->n++] = (struct candidate){ mark->left * k,   mark->top * k, mark->right * k,
						    mark->bottom * k, is_light,      mark->edge };
	return drawn < 0 ? -1 : 0;
}

// How far two boxes are apart.
static int gap(const struct mark *a, const struct mark *b)
{
	int x = a->left > b->right ? a->left - b->right : b->left > a->right ? b->left - a->right : 0;
	int y = a->top > b->bottom ? a->top - b->bottom : b->top > a->bottom ? b->top - a->bottom : 0;
	return x > y ? x : y;
}

static bool contains(const struct mark *a, const struct mark *b)
{
	return a->left <= b->left && a->top <= b->top && a->right >= b->right && a->bottom >= b->bottom;
}

// A part with what lies near it and is as dark, since a digit may be drawn in several strokes.
static int add_group(struct candidates *c, struct search *s, int i, struct err *e)
{
	struct part *p = &s->parts[i];
	uint32_t members = 1u << i;
	struct mark group;
	if (mark_copy(&p->mark, &group, e))
		return -1;
	for (bool grew = true; grew;) {
		grew = false;
		for (int j = 0; j < s->n_parts; j++) {
			struct part *q = &s->parts[j];
			if (members >> j & 1 || q->is_light != p->is_light || q->mark.edge < 0.4f * p->mark.edge ||
			    q->rank > p->rank || contains(&group, &q->mark) || contains(&q->mark, &p->mark) ||
			    4 * gap(&group, &q->mark) > longer_of(&p->mark) || 2 * longer_of(&q->mark) > 3 * longer_of(&p->mark))
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
	int status = members == 1u << i ? 0 : add_candidate(c, s, &group, p->is_light, e);
	mark_free(&group);
	return status;
}

// Whether most of a part was erased as lines from a larger one.
static bool is_line(const struct search *s, const struct part *p)
{
	const struct mark *m = &p->mark;
	int n = 0, width = s->planes[0].width;
	for (int y = m->top; y < m->bottom; y++)
		for (int x = m->left; x < m->right; x++)
			n += m->mask[(y - m->top) * (m->right - m->left) + x - m->left] && s->lines[p->is_light][y * width + x];
	return 2 * n > m->area;
}

// Drops pieces of lines and frames, and frames themselves if there is anything else.
static void drop_lines(struct search *s)
{
	bool keep[MAX_PARTS], others = false;
	int n = 0;
	for (int i = 0; i < s->n_parts; i++) {
		keep[i] = !s->parts[i].is_frame && !is_line(s, &s->parts[i]);
		others |= keep[i];
	}
	for (int i = 0; i < s->n_parts; i++)
		if (keep[i] || (s->parts[i].is_frame && !others))
			s->parts[n++] = s->parts[i];
		else
			mark_free(&s->parts[i].mark);
	s->n_parts = n;
}

// Finds candidates in the picture reduced by k.
static int find_at(const struct image *image, int k, bool any, struct candidates_stop *stop, struct candidates *c, struct err *e)
{
	struct search s = { .any = any, .stop = stop, .reduction = k };
	int status = -1;
	s.planes[0] = reduce(image, s.reduction);
	size_t n = (size_t)s.planes[0].width * (size_t)s.planes[0].height;
	s.planes[1] = (struct image){ s.planes[0].width, s.planes[0].height, malloc(n) };
	s.scratch = calloc(n, 1);
	s.lines[0] = calloc(n, 1);
	s.lines[1] = calloc(n, 1);
	s.stack = malloc(n * sizeof *s.stack);
	c->n = 0;
	if (!s.planes[0].pixels || !s.planes[1].pixels || !s.scratch || !s.lines[0] || !s.lines[1] || !s.stack) {
		err_set(e, "no memory to look at a picture of %d×%d pixels", image->width, image->height);
		goto out;
	}
	for (size_t i = 0; i < n; i++)
		s.planes[1].pixels[i] = (uint8_t)(255 - s.planes[0].pixels[i]);
	float noise = noise_of(&s.planes[0]);
	if (look(&s, false, noise, e) || look(&s, true, noise, e))
		goto out;
	drop_lines(&s);
	for (int i = 0; i < s.n_parts && c->n < CANDIDATES_MAX; i++)
		if (add_candidate(c, &s, &s.parts[i].mark, s.parts[i].is_light, e) || add_group(c, &s, i, e))
			goto out;
	status = 0;
out:
	for (int i = 0; i < s.n_parts; i++)
		mark_free(&s.parts[i].mark);
	image_free(&s.planes[0]);
	image_free(&s.planes[1]);
	free(s.scratch);
	free(s.lines[0]);
	free(s.lines[1]);
	free(s.stack);
	return status;
}

// The reduction at which the smaller of the first two candidates has SMALL_SIDE pixels; half of k if nothing was found.
static int look_closer(const struct candidates *c, int k)
{
	int least = SMALL_SIDE * k;
	for (int i = 0; i < c->n && i < 2; i++) {
		int side = max(c->at[i].right - c->at[i].left, c->at[i].bottom - c->at[i].top);
		least = side < least ? side : least;
	}
	return c->n ? least / SMALL_SIDE : k / 2;
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
	return candidates_find_until(image, NULL, c, e);
}

int candidates_find_until(const struct image *image, struct candidates_stop *stop, struct candidates *c, struct err *e)
{
	if (mnist_is_its_form(image)) {
		c->n = 1;
		c->at[0] = (struct candidate){ 0, 0, image->width, image->height, true, 255 };
		memcpy(c->pixels[0], image->pixels, LENET5_PIXELS);
		return 0;
	}
	int least = reduction_to(image, FINE_SIDE);
	int k = reduction_to(image, COARSE_SIDE), closer;
	for (;; k = closer) {
		if (find_at(image, k, false, stop, c, e))
			return -1;
		closer = max(look_closer(c, k), least);
		if (closer >= k)
			break;
	}
	// Nothing that looks like strokes; a dot, or a drawing that has just begun, is still something.
	if (c->n == 0 && find_at(image, reduction_to(image, COARSE_SIDE), true, stop, c, e))
		return -1;
	if (c->n == 0)
		err_set(e, "no digit found: nothing in the picture stands out from its background");
	return 0;
}

static int longer_side(const struct candidate *c)
{
	return max(c->right - c->left, c->bottom - c->top);
}

static float prominence(const struct candidate *c)
{
	return c->edge * (float)longer_side(c);
}

static float score_of(const struct candidate *c, const struct lenet5_prediction *p, float most)
{
	return p->confidence * sqrtf(sqrtf(prominence(c) / most));
}

// Whether b is a whole of which a is a part: strokes left out, or one of several.
static bool is_whole(const struct candidate *b, const struct candidate *a)
{
	int slack = longer_side(a) / 8 + 1,
	    larger = (b->right - b->left) * (b->bottom - b->top) - (a->right - a->left) * (a->bottom - a->top);
	return a->is_light == b->is_light && larger > 0 && b->left <= a->left + slack && b->top <= a->top + slack &&
	       b->right >= a->right - slack && b->bottom >= a->bottom - slack && longer_side(b) <= 4 * longer_side(a) &&
	       4 * b->edge > a->edge;
}

int candidates_best(const struct candidate *at, int n, const struct lenet5_prediction *predictions)
{
	float most = 0, best_score = -1;
	int best = 0;
	for (int i = 0; i < n; i++)
		most = prominence(&at[i]) > most ? prominence(&at[i]) : most;
	for (int i = 0; i < n; i++) {
		float score = score_of(&at[i], &predictions[i], most);
		if (score > best_score) {
			best_score = score;
			best = i;
		}
	}
	for (int i = 0; i < n; i++)
		if (is_whole(&at[i], &at[best]) && predictions[i].confidence >= 0.5f) {
			best = i;
			i = -1; // it may be a part itself
		}
	return best;
}

int candidates_read(const struct image *image, struct engine_context *context, const struct engine_model *model,
		    struct lenet5_prediction *prediction, struct err *e)
{
	struct candidates c;
	float scores[CANDIDATES_MAX * LENET5_DIGITS];
	struct lenet5_prediction predictions[CANDIDATES_MAX];
	if (candidates_find(image, &c, e))
		return -1;
	if (c.n == 0)
		return 0;
	if (engine_forward_pixels(context, model, c.pixels[0], c.n, scores, e))
		return -1;
	for (int i = 0; i < c.n; i++)
		predictions[i] = lenet5_predict(model->net, scores + i * LENET5_DIGITS);
	*prediction = predictions[candidates_best(c.at, c.n, predictions)];
	return 1;
}
