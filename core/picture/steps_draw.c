// Every step is drawn from what the look worked on in which the candidate was found. Only the ground is computed again, by the function that
// the search uses, since the search keeps none. Strokes, lines and boxes have the size of the look's planes, and are reduced at the end.
#include "core/picture/steps.h"

#include "core/picture/ground.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Indices of the palette; GREYS of them are grey.
enum { GREYS = 128, CHOSEN = GREYS, OTHER };
// Grey values of strokes on paper.
enum { INK = 0, OTHER_INK = 190, PAPER = 255 };

struct drawing {
	const struct steps *steps;
	const struct steps_look *look;
	const struct steps_mark *chosen; // NULL: the picture is blank
	int k; // pixels of the planes to one of the drawn steps
	struct steps_drawn *drawn;
	struct err *e;
};

void steps_palette(uint8_t rgb[256][3])
{
	static const uint8_t colours[][3] = { [CHOSEN - GREYS] = { 230, 74, 20 }, [OTHER - GREYS] = { 120, 165, 215 } };
	memset(rgb, 0, 256 * sizeof rgb[0]);
	for (int i = 0; i < GREYS; i++)
		memset(rgb[i], i * 255 / (GREYS - 1), 3);
	memcpy(rgb[GREYS], colours, sizeof colours);
}

void steps_drawn_free(struct steps_drawn *drawn)
{
	for (int i = 0; i < drawn->n; i++)
		image_free(&drawn->at[i].image);
	drawn->n = 0;
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

static int divide_up(int a, int b)
{
	return (a + b - 1) / b;
}

static int no_memory(const struct drawing *d)
{
	return err_set(d->e, "no memory to draw the steps of a picture");
}

// Appends a step with room for its image. Returns NULL, with the error set, for want of memory.
static struct step *add(const struct drawing *d, const char *name, int width, int height)
{
	struct step *step = &d->drawn->at[d->drawn->n];
	*step = (struct step){ name, "", { width, height, malloc((size_t)width * (size_t)height) }, false };
	if (!step->image.pixels) {
		no_memory(d);
		return NULL;
	}
	d->drawn->n++;
	return step;
}

__attribute__((format(printf, 2, 3))) static void tell(struct step *step, const char *format, ...)
{
	size_t n = strlen(step->about);
	va_list args;
	va_start(args, format);
	vsnprintf(step->about + n, sizeof step->about - n, format, args);
	va_end(args);
}

static int mean_of_block(const struct image *in, int k, int x, int y)
{
	int sum = 0, right = smaller((x + 1) * k, in->width), bottom = smaller((y + 1) * k, in->height);
	int n = (right - x * k) * (bottom - y * k);
	for (int v = y * k; v < bottom; v++)
		for (int u = x * k; u < right; u++)
			sum += in->pixels[v * in->width + u];
	return (sum + n / 2) / n;
}

// Appends a picture of the planes' size.
static struct step *add_grey(const struct drawing *d, const char *name, const struct image *in)
{
	struct step *step = add(d, name, divide_up(in->width, d->k), divide_up(in->height, d->k));
	for (int y = 0; step && y < step->image.height; y++)
		for (int x = 0; x < step->image.width; x++)
			step->image.pixels[y * step->image.width + x] = (uint8_t)mean_of_block(in, d->k, x, y);
	return step;
}

static void invert(struct image *image)
{
	for (int i = 0; i < image->width * image->height; i++)
		image->pixels[i] = (uint8_t)(255 - image->pixels[i]);
}

static bool is_light(const struct drawing *d)
{
	return d->chosen && planes_is_light(d->chosen->plane);
}

static int draw_picture(const struct drawing *d)
{
	const struct planes *p = &d->look->planes;
	struct step *step = add_grey(d, "picture", &p->at[PLANES_DARK]);
	if (!step)
		return -1;
	tell(step, "The picture as it was looked at: %d×%d pixels%s.", p->width, p->height,
	     p->smoothed ? ", smoothed against noise" : "");
	if (!p->wanted[PLANES_FLAT_DARK])
		tell(step, " Its light is even.");
	return 0;
}

static int draw_light(const struct drawing *d)
{
	const struct planes *p = &d->look->planes;
	const struct image *plane = &p->at[is_light(d) ? PLANES_LIGHT : PLANES_DARK];
	const struct image *flat = &p->at[is_light(d) ? PLANES_FLAT_LIGHT : PLANES_FLAT_DARK];
	if (!p->wanted[PLANES_FLAT_DARK])
		return 0;
	struct image ground = { p->width, p->height, malloc((size_t)p->width * (size_t)p->height) };
	if (!ground.pixels)
		return no_memory(d);
	struct step *light = ground_find(plane, ground.pixels, d->e) ? NULL : add_grey(d, "light", &ground);
	image_free(&ground);
	struct step *flattened = light ? add_grey(d, "flat", flat) : NULL;
	if (!flattened)
		return -1;
	if (is_light(d))
		invert(&light->image);
	tell(light, "What was taken for the ground: the picture without its strokes, as the light falls on it.");
	tell(flattened, "The picture with this light taken out%s.",
	     is_light(d) ? ", as a negative, since its strokes are light" : "");
	if (d->chosen)
		tell(flattened, "%s",
		     d->chosen->plane >= PLANES_FLAT_DARK ? " The strokes were found here."
							  : " The strokes were found without this.");
	return 0;
}

// Whether the mark has the pixel (x, y) of the look's planes.
static bool has_pixel(const struct drawing *d, const struct steps_mark *mark, int x, int y)
{
	const struct mark *m = &mark->mark;
	int from = d->look->planes.reduction, to = d->steps->looks[mark->look].planes.reduction;
	int u = (2 * x + 1) * from / (2 * to), v = (2 * y + 1) * from / (2 * to);
	return u >= m->left && u < m->right && v >= m->top && v < m->bottom &&
	       m->mask[(v - m->top) * (m->right - m->left) + u - m->left];
}

struct box {
	int left, top, right, bottom; // [left, right) × [top, bottom)
};

// The mark's box in the look's planes, a pixel wider where the planes differ.
static struct box box_of(const struct drawing *d, const struct steps_mark *mark)
{
	const struct mark *m = &mark->mark;
	int from = d->steps->looks[mark->look].planes.reduction, to = d->look->planes.reduction;
	return (struct box){ m->left * from / to, m->top * from / to,
			     smaller(divide_up(m->right * from, to), d->look->planes.width),
			     smaller(divide_up(m->bottom * from, to), d->look->planes.height) };
}

static void paint_mark(const struct drawing *d, const struct steps_mark *mark, uint8_t grey, struct image *to)
{
	struct box b = box_of(d, mark);
	for (int y = b.top; y < b.bottom; y++)
		for (int x = b.left; x < b.right; x++)
			if (has_pixel(d, mark, x, y))
				to->pixels[y * to->width + x] = grey;
}

static int draw_ink(const struct drawing *d)
{
	const struct planes *p = &d->look->planes;
	size_t n = (size_t)p->width * (size_t)p->height;
	struct image ink = { p->width, p->height, malloc(n) };
	if (!ink.pixels)
		return no_memory(d);
	memset(ink.pixels, PAPER, n);
	for (int i = 0; i < d->steps->n_marks; i++)
		paint_mark(d, &d->steps->marks[i], OTHER_INK, &ink);
	paint_mark(d, d->chosen, INK, &ink);
	struct step *step = add_grey(d, "ink", &ink);
	image_free(&ink);
	if (step)
		tell(step, "The strokes that were taken for the digit%s.",
		     d->steps->n_marks > 1 ? "; those of other candidates are pale" : "");
	return step ? 0 : -1;
}

// Where lines were taken out: of a digit's polarity, and not where the digit has its own strokes; of a blank picture, of both. Returns how
// many pixels. lines: (height, width).
static int find_lines(const struct drawing *d, uint8_t *lines)
{
	const struct planes *p = &d->look->planes;
	int n_pixels = p->width * p->height, n = 0;
	const uint8_t *dark = d->look->erased, *light = dark + n_pixels;
	for (int i = 0; i < n_pixels; i++) {
		bool is_line = d->chosen ? (is_light(d) ? light : dark)[i] : dark[i] || light[i];
		lines[i] = is_line && !(d->chosen && has_pixel(d, d->chosen, i % p->width, i / p->width)) ? 255 : 0;
		n += lines[i] != 0;
	}
	return n;
}

static int draw_lines(const struct drawing *d)
{
	const struct planes *p = &d->look->planes;
	struct image lines = { p->width, p->height, malloc((size_t)p->width * (size_t)p->height) };
	if (!lines.pixels)
		return no_memory(d);
	int status = 0;
	if (find_lines(d, lines.pixels) > 0) {
		struct step *step = add_grey(d, "lines", &p->at[PLANES_DARK]);
		for (int i = 0; step && i < step->image.width * step->image.height; i++) {
			int width = step->image.width, covered = mean_of_block(&lines, d->k, i % width, i / width);
			int pale = 160 + step->image.pixels[i] * 95 / 255;
			step->image.pixels[i] = (uint8_t)(covered >= 127 ? CHOSEN : pale / 2);
		}
		if (step) {
			step->has_colour = true;
			tell(step, "Straight lines that were taken out, in red: ruled or printed, and not written.");
		}
		status = step ? 0 : -1;
	}
	image_free(&lines);
	return status;
}

// Draws around a box of the planes, t pixels wide.
static void draw_around(const struct drawing *d, struct box b, int t, uint8_t colour, struct image *to)
{
	int left = larger(b.left / d->k - t, 0), right = smaller(divide_up(b.right, d->k) + t, to->width);
	int top = larger(b.top / d->k - t, 0), bottom = smaller(divide_up(b.bottom, d->k) + t, to->height);
	for (int y = top; y < bottom; y++)
		for (int x = left; x < right; x++)
			if (x < left + t || x >= right - t || y < top + t || y >= bottom - t)
				to->pixels[y * to->width + x] = colour;
}

static int draw_box(const struct drawing *d)
{
	struct step *step = add_grey(d, "box", &d->look->planes.at[PLANES_DARK]);
	if (!step)
		return -1;
	step->has_colour = true;
	for (int i = 0; i < step->image.width * step->image.height; i++)
		step->image.pixels[i] /= 2;
	for (int i = 0; i < d->steps->n_marks; i++)
		draw_around(d, box_of(d, &d->steps->marks[i]), 1, OTHER, &step->image);
	int thickness = larger(step->image.width, step->image.height) < 100 ? 1 : 2;
	draw_around(d, box_of(d, d->chosen), thickness, CHOSEN, &step->image);
	tell(step, "Where they are in the picture: the red box%s.",
	     d->steps->n_marks > 1 ? ". Other candidates have blue ones" : "");
	return 0;
}

static int draw_input(const struct drawing *d, const uint8_t pixels[LENET5_PIXELS])
{
	struct step *step = add(d, "input", LENET5_SIDE, LENET5_SIDE);
	if (!step)
		return -1;
	memcpy(step->image.pixels, pixels, LENET5_PIXELS);
	if (d->look)
		tell(step, "The 28×28 pixels that the network saw: the strokes, scaled and centred.");
	else
		tell(step,
		     "The 28×28 pixels that the network saw. The picture has MNIST's form, so it was used as it is, without any "
		     "other step.");
	return 0;
}

int steps_draw(const struct steps *steps, int candidate, const uint8_t pixels[LENET5_PIXELS], struct steps_drawn *drawn,
	       struct err *e)
{
	struct drawing d = { steps, NULL, NULL, 1, drawn, e };
	drawn->n = 0;
	if (candidate >= 0 && candidate < steps->n_marks)
		d.chosen = &steps->marks[candidate];
	const struct steps_look *look = &steps->looks[d.chosen ? d.chosen->look : steps->n_looks];
	if (look->planes.width > 0) {
		d.look = look;
		d.k = divide_up(larger(look->planes.width, look->planes.height), STEPS_MAX_SIDE);
		if (draw_picture(&d) || draw_light(&d) || draw_lines(&d) || (d.chosen && (draw_ink(&d) || draw_box(&d))))
			return -1;
	}
	return candidate >= 0 ? draw_input(&d, pixels) : 0;
}
