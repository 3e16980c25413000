// A condition is a function that sets a look's numbers, starting from those of a plain picture; look.c draws it. A mixed picture goes
// through several of these functions, at most one of each group.
#include "tests/pictures/hard.h"

#include "tests/pictures/look.h"

#include <math.h>
#include <stdlib.h>

// What a condition changes, in the order in which a mixed picture takes them, at most one of each.
enum group { ALONE, PEN, SHEET, PLACE, LIGHT, CAMERA, N_GROUPS };

static float uniform(struct rng *rng, float low, float high)
{
	return rng_uniform(rng, low, high);
}

// Puts the shape anywhere where it fits, by `room` of its size from the border.
static void place(struct look *l, float room, struct rng *rng)
{
	float x = (0.5f + room) * l->pen.size, y = x;
	x = fminf(x, (float)l->width / 2), y = fminf(y, (float)l->height / 2);
	l->pen.x = uniform(rng, x, (float)l->width - x);
	l->pen.y = uniform(rng, y, (float)l->height - y);
}

static void set_size(struct look *l, int width, int height, float size, struct rng *rng)
{
	l->width = width, l->height = height;
	l->pen.size = size;
	place(l, 0.1f, rng);
}

// The same picture with `times` as many pixels to a side.
static void scale(struct look *l, float times)
{
	l->width = (int)((float)l->width * times), l->height = (int)((float)l->height * times);
	l->pen.x *= times, l->pen.y *= times;
	l->pen.size *= times, l->pen.width *= times, l->pen.bolder *= times;
}

static void plain(struct look *l, struct rng *rng)
{
	float side = uniform(rng, 160, 480);
	*l = (struct look){ .paper = uniform(rng, 215, 250), .ink = uniform(rng, 15, 70), .strength = 1 };
	l->pen.angle = uniform(rng, -0.12f, 0.12f);
	l->pen.slant = uniform(rng, -0.15f, 0.15f);
	l->pen.wide = uniform(rng, 0.85f, 1.15f);
	set_size(l, (int)(side * uniform(rng, 0.8f, 1.25f)), (int)side, uniform(rng, 0.28f, 0.6f) * side, rng);
	l->pen.bolder = uniform(rng, -0.012f, 0.02f) * l->pen.size;
}

static void gradient(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_GRADIENT;
	l->gradient = uniform(rng, 0.5f, 0.8f);
}

static void gradient_slight(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_GRADIENT;
	l->gradient = uniform(rng, 0.1f, 0.35f);
}

static void vignette(struct look *l, struct rng *rng)
{
	(void)rng;
	l->layers |= LOOK_VIGNETTE;
}

static void shadow(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_SHADOW;
	l->shadow = uniform(rng, 0.45f, 0.75f);
	l->ink = uniform(rng, 10, 45);
}

static void glare(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_GLARE;
	l->paper = uniform(rng, 150, 215);
	l->glare = uniform(rng, 0.55f, 0.8f);
}

static void blurred(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_BLUR;
	l->blur = uniform(rng, 0.035f, 0.065f) * l->pen.size;
}

static void motion(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_MOTION;
	l->motion = uniform(rng, 0.1f, 0.2f) * l->pen.size;
}

static void noisy(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_NOISE;
	l->noise = uniform(rng, 18, 45);
}

static void jpeg(struct look *l, struct rng *rng)
{
	scale(l, uniform(rng, 22, 80) / l->pen.size);
	l->layers |= LOOK_JPEG;
	l->jpeg = 5 + (int)rng_below(rng, 14);
}

static void small(struct look *l, struct rng *rng)
{
	int height = 480 + (int)rng_below(rng, 500);
	set_size(l, height * 4 / 3, height, uniform(rng, 0.055f, 0.1f) * (float)height, rng);
	l->pen.bolder = 0;
	l->layers |= canvas_chance(rng, 0.5f) ? LOOK_VIGNETTE : LOOK_GRADIENT;
	l->gradient = uniform(rng, 0.1f, 0.4f);
}

static void tiny(struct look *l, struct rng *rng)
{
	int side = 14 + (int)rng_below(rng, 7);
	set_size(l, side, side, uniform(rng, 0.72f, 0.9f) * (float)side, rng);
	l->pen.bolder = uniform(rng, 0, 0.3f);
	l->layers |= canvas_chance(rng, 0.5f) ? LOOK_BLUR : 0;
	l->blur = uniform(rng, 0.4f, 0.75f);
}

static void tilted(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_TILT | (canvas_chance(rng, 0.5f) ? LOOK_VIGNETTE : 0);
	l->pen.angle = 0;
	l->pen.size = fminf(l->pen.size, 0.4f * (float)l->height);
	place(l, 0.35f, rng);
}

static void boxed(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_BOX;
	l->pen.size = fminf(l->pen.size, 0.42f * (float)(l->width < l->height ? l->width : l->height));
	place(l, 0.35f, rng);
}

static void cell(struct look *l, struct rng *rng)
{
	float height = uniform(rng, 60, 150),
	      shape = canvas_chance(rng, 0.4f) ? uniform(rng, 1.3f, 2.4f) : uniform(rng, 0.75f, 1.15f);
	float width = height * shape, shorter = fminf(width, height);
	l->width = (int)width, l->height = (int)height;
	l->pen.size = uniform(rng, 0.55f, 0.82f) * shorter;
	float room_x = (width - 0.75f * l->pen.size) / 2, room_y = (height - 0.9f * l->pen.size) / 2;
	l->pen.x = width / 2 + uniform(rng, -0.9f, 0.9f) * room_x;
	l->pen.y = height / 2 + uniform(rng, -0.9f, 0.9f) * room_y;
	l->pen.bolder = uniform(rng, -0.01f, 0.01f) * l->pen.size;
	l->paper = uniform(rng, 150, 245);
	l->layers |= LOOK_CELL | (canvas_chance(rng, 0.6f) ? LOOK_PAPER : 0);
}

static void desk(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_DESK | (canvas_chance(rng, 0.5f) ? LOOK_GRADIENT : 0);
	l->gradient = uniform(rng, 0.1f, 0.4f);
	l->pen.size = uniform(rng, 0.25f, 0.45f) * (float)(l->width < l->height ? l->width : l->height);
	place(l, 0.15f, rng);
}

static void ruled(struct look *l, struct rng *rng)
{
	(void)rng;
	l->layers |= LOOK_RULED;
}

static void squared(struct look *l, struct rng *rng)
{
	(void)rng;
	l->layers |= LOOK_SQUARED;
}

static void margin(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_MARGIN | (canvas_chance(rng, 0.4f) ? LOOK_RULED : 0);
}

static void pale(struct look *l, struct rng *rng)
{
	bool is_thumbnail = canvas_chance(rng, 0.4f); // as a scanner's
	if (is_thumbnail)
		set_size(l, 28 + (int)rng_below(rng, 30), 28, uniform(rng, 17, 23), rng);
	l->paper = uniform(rng, 165, 252);
	l->ink = l->paper - uniform(rng, 45, 90);
	l->grain = uniform(rng, 0.1f, 0.35f);
	l->pen.width = fmaxf(1.2f, uniform(rng, 0.03f, 0.07f) * l->pen.size);
	if (canvas_chance(rng, 0.5f))
		l->layers |= is_thumbnail ? LOOK_BLUR : LOOK_PAPER;
	l->blur = uniform(rng, 0.4f, 0.6f);
}

static void marker(struct look *l, struct rng *rng)
{
	l->pen.width = uniform(rng, 0.15f, 0.21f) * l->pen.size;
	l->ink = uniform(rng, 0, 50);
}

static void thin_pen(struct look *l, struct rng *rng)
{
	l->pen.width = uniform(rng, 1, 1.3f);
	l->pen.size = fminf(l->pen.size, 200);
	place(l, 0.1f, rng);
}

static void blackboard(struct look *l, struct rng *rng)
{
	l->paper = uniform(rng, 25, 75);
	l->ink = l->paper + uniform(rng, 85, 160);
	l->grain = uniform(rng, 0.3f, 0.6f);
	l->layers |= LOOK_DUST | (canvas_chance(rng, 0.6f) ? LOOK_VIGNETTE : LOOK_GRADIENT);
	l->gradient = uniform(rng, 0.2f, 0.5f);
}

static void whiteboard(struct look *l, struct rng *rng)
{
	glare(l, rng);
	gradient_slight(l, rng);
	l->paper = uniform(rng, 165, 225);
	l->pen.width = uniform(rng, 0.06f, 0.11f) * l->pen.size;
	l->ink = uniform(rng, 20, 90);
}

static void inverted(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_INVERTED | (canvas_chance(rng, 0.4f) ? LOOK_GRADIENT : 0);
	l->gradient = uniform(rng, 0.2f, 0.5f);
	if (canvas_chance(rng, 0.4f))
		l->pen.width = uniform(rng, 0.025f, 0.05f) * l->pen.size;
}

static void letterbox(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_BARS | (canvas_chance(rng, 0.4f) ? LOOK_GRADIENT : 0);
	l->gradient = uniform(rng, 0.1f, 0.4f);
	float w = (float)l->width, h = (float)l->height;
	l->pen.size = fminf(l->pen.size, 0.36f * fminf(w, h));
	l->pen.x = (w + uniform(rng, -1, 1) * (0.46f * w - l->pen.size)) / 2;
	l->pen.y = (h + uniform(rng, -1, 1) * (0.46f * h - l->pen.size)) / 2;
}

static void frame(struct look *l, struct rng *rng)
{
	bool is_window = canvas_chance(rng, 0.5f);
	l->layers |= is_window ? LOOK_WINDOW : LOOK_FRAME;
	if (!is_window && canvas_chance(rng, 0.5f)) {
		int side = 28 + (int)rng_below(rng, 60);
		set_size(l, side, side, uniform(rng, 0.6f, 0.75f) * (float)side, rng);
	}
	float top = is_window ? 0.1f * (float)l->height : 3;
	l->pen.y = fmaxf(l->pen.y, top + 0.62f * l->pen.size);
}

// Needs the shape's own sides: see hard_make_shape.
static void edges(struct look *l, struct rng *rng)
{
	l->pen.angle = uniform(rng, -0.05f, 0.05f);
	l->pen.slant = uniform(rng, -0.1f, 0.1f);
	l->pen.bolder = uniform(rng, 0, 0.02f) * l->pen.size;
}

static void fill_picture(struct look *l, const struct shape *shape, struct rng *rng)
{
	float w = shape->right - shape->left, h = shape->bottom - shape->top, longer = fmaxf(w, h);
	float width = l->pen.size * w / longer * l->pen.wide, height = l->pen.size * h / longer;
	l->width = (int)(fmaxf(width, 0.4f * height) * uniform(rng, 0.9f, 1));
	l->height = (int)(fmaxf(height, 0.4f * width) * uniform(rng, 0.9f, 1));
	l->pen.x = (float)l->width / 2 + uniform(rng, -0.02f, 0.02f) * width;
	l->pen.y = (float)l->height / 2 + uniform(rng, -0.02f, 0.02f) * height;
}

static void show_through(struct look *l, struct rng *rng)
{
	(void)rng;
	l->layers |= LOOK_BEHIND;
}

static void specks(struct look *l, struct rng *rng)
{
	(void)rng;
	l->layers |= LOOK_SPECKS;
}

static void textured(struct look *l, struct rng *rng)
{
	bool is_cloth = canvas_chance(rng, 0.5f);
	l->layers |= is_cloth ? LOOK_CLOTH : LOOK_PAPER;
	l->paper = uniform(rng, 110, 215);
	l->ink = l->paper - uniform(rng, 70, 100);
	l->grain = 0.3f;
}

static void screen(struct look *l, struct rng *rng)
{
	(void)rng;
	l->layers |= LOOK_SCREEN;
	if (l->pen.size < 90)
		scale(l, 90 / l->pen.size);
}

static void faded(struct look *l, struct rng *rng)
{
	l->layers |= LOOK_FADED;
	l->paper = uniform(rng, 195, 245);
	l->ink = l->paper - uniform(rng, 70, 120);
	l->pen.width = canvas_chance(rng, 0.5f) ? 0.08f * l->pen.size : 0;
}

static const struct condition {
	const char *name, *about;
	void (*set)(struct look *, struct rng *);
	enum group group;
} conditions[HARD_CONDITIONS] = {
	[HARD_PLAIN] = { "plain", "dark ink on an even, light sheet, at any place and size", NULL, ALONE },
	[HARD_GRADIENT] = { "gradient", "half to four fifths of the light are lost from one side to the other", gradient, LIGHT },
	[HARD_GRADIENT_SLIGHT] = { "gradient-slight", "a tenth to a third of the light is lost", gradient_slight, LIGHT },
	[HARD_VIGNETTE] = { "vignette", "the corners are dark", vignette, LIGHT },
	[HARD_SHADOW] = { "shadow", "the edge of a shadow runs through the digit", shadow, LIGHT },
	[HARD_GLARE] = { "glare", "a lamp's reflection lies over a part of the digit", glare, LIGHT },
	[HARD_BLURRED] = { "blurred", "out of focus by about half a stroke", blurred, CAMERA },
	[HARD_MOTION] = { "motion", "the camera moved by a tenth to a fifth of the digit", motion, CAMERA },
	[HARD_NOISY] = { "noisy", "noise with a standard deviation of 18 to 45 grey levels", noisy, CAMERA },
	[HARD_JPEG] = { "jpeg", "compressed as JPEG does it at a quality of 5 to 18, where the digit is 22 to 80 pixels high", jpeg,
			CAMERA },
	[HARD_SMALL] = { "small", "the digit is a twentieth to a tenth of the picture's height", small, ALONE },
	[HARD_TINY] = { "tiny", "a picture of 14 to 20 pixels", tiny, ALONE },
	[HARD_TILTED] = { "tilted", "the sheet is turned by 7° to 15° and seen from one side", tilted, PLACE },
	[HARD_BOXED] = { "boxed", "a crooked box is drawn around the digit", boxed, SHEET },
	[HARD_CELL] = { "cell", "a cell of a form: its lines lie at the borders, and the digit may touch or cross them", cell,
			ALONE },
	[HARD_DESK] = { "desk", "a turned sheet on a dark or wooden desk", desk, PLACE },
	[HARD_RULED] = { "ruled", "ruled paper, its lines through the digit", ruled, SHEET },
	[HARD_SQUARED] = { "squared", "squared paper", squared, SHEET },
	[HARD_MARGIN] = { "margin", "a margin's line beside or through the digit", margin, SHEET },
	[HARD_PALE] = { "pale", "pencil, 45 to 90 grey levels darker than the paper", pale, PEN },
	[HARD_MARKER] = { "marker", "strokes of a seventh to a fifth of the digit's size, so that loops nearly close", marker,
			  PEN },
	[HARD_THIN] = { "thin", "strokes of one pixel", thin_pen, PEN },
	[HARD_BLACKBOARD] = { "blackboard", "chalk on a wiped board", blackboard, ALONE },
	[HARD_WHITEBOARD] = { "whiteboard", "a whiteboard that mirrors a lamp", whiteboard, ALONE },
	[HARD_INVERTED] = { "inverted", "a negative: light strokes on dark", inverted, ALONE },
	[HARD_LETTERBOX] = { "letterbox", "black bars at two sides", letterbox, PLACE },
	[HARD_FRAME] = { "frame", "a dark frame of one to three pixels, or a window with a title bar", frame, PLACE },
	[HARD_EDGES] = { "edges", "the digit fills the picture, and its ends may be cut", edges, ALONE },
	[HARD_SHOW_THROUGH] = { "show-through", "writing on the back of the sheet is seen faintly", show_through, SHEET },
	[HARD_SPECKS] = { "specks", "dirt, crumbs and hairs", specks, SHEET },
	[HARD_TEXTURED] = { "textured", "coarse paper or cloth", textured, SHEET },
	[HARD_SCREEN] = { "screen", "a photo of a display: its pixels and moiré", screen, CAMERA },
	[HARD_FADED] = { "faded", "a receipt: pale print with missing rows, and folds", faded, PEN },
	[HARD_MIXED] = { "mixed", "two to four of the above", NULL, ALONE },
};

const char *hard_name(int condition)
{
	return conditions[condition].name;
}

const char *hard_about(int condition)
{
	return conditions[condition].about;
}

// What is barely readable alone would not be readable together with something else.
static void soften(struct look *l)
{
	if (fabsf(l->paper - l->ink) < 75)
		l->ink = l->paper - 75;
	l->noise = fminf(l->noise, 0.15f * fabsf(l->paper - l->ink));
	l->blur *= 0.5f, l->motion *= 0.6f;
	l->jpeg += 10;
	l->gradient *= 0.75f, l->shadow *= 0.75f, l->glare *= 0.8f;
	if (l->pen.width > 0)
		l->pen.width = fmaxf(l->pen.width, 0.05f * l->pen.size);
}

static void mix(struct look *l, struct rng *rng)
{
	void (*set[N_GROUPS])(struct look *, struct rng *) = { NULL };
	int n = 2 + (int)rng_below(rng, 3);
	while (n > 0) {
		const struct condition *c = &conditions[rng_below(rng, HARD_CONDITIONS)];
		if (c->group == ALONE || set[c->group])
			continue;
		set[c->group] = c->set;
		n--;
	}
	for (int group = 0; group < N_GROUPS; group++)
		if (set[group])
			set[group](l, rng);
	soften(l);
	if (l->layers & LOOK_SCREEN && l->paper - l->ink < 130)
		l->ink = l->paper - 130;
}

int hard_make_shape(int condition, struct rng *rng, const struct shape *shape, struct image *out, struct err *e)
{
	struct look l;
	plain(&l, rng);
	if (conditions[condition].set)
		conditions[condition].set(&l, rng);
	if (condition == HARD_MIXED)
		mix(&l, rng);
	if (condition == HARD_EDGES && shape)
		fill_picture(&l, shape, rng);
	return look_render(&l, shape, rng, out, e);
}

int hard_make(int condition, uint64_t seed, const uint8_t digit[784], struct image *out, struct err *e)
{
	struct rng rng;
	struct shape *shape = shape_of_digit(digit, e);
	if (!shape)
		return -1;
	rng_init_stream(&rng, seed, (uint64_t)condition);
	int status = hard_make_shape(condition, &rng, shape, out, e);
	free(shape);
	return status;
}
