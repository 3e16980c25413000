// steps: how a picture's candidates were found, for people to see: what the search worked on is kept while it runs, and drawn afterwards
// for the candidate that became the answer. Drawing computes nothing of the search again. Zero-initialise a struct steps; steps_free frees
// what it holds. One thread at a time.
#pragma once

#include "core/err.h"
#include "core/image.h"
#include "core/lenet5.h"
#include "core/picture/candidates.h"
#include "core/picture/mark.h"
#include "core/picture/planes.h"

#include <stdbool.h>
#include <stdint.h>

struct steps_look {
	struct planes planes; // owned
	uint8_t *erased; // (2, height, width), [is_light]: 1 where a line was taken out; owned
};

struct steps_mark {
	struct mark mark; // owned
	int look; // that it was found in
	enum plane plane; // of this look
};

struct steps {
	int n_looks, n_marks;
	struct steps_look looks[CANDIDATES_MAX + 1]; // n_looks in which candidates were found; behind them the last one without any
	struct steps_mark marks[CANDIDATES_MAX]; // [n_marks]: one of each candidate
};

void steps_free(struct steps *steps);

// For candidates.c, which calls them in this order: for each look steps_allocate, steps_note_mark for each mark, and steps_keep_look; then
// steps_keep_marks. With steps NULL they do nothing. *erased: zeros for parts_find. steps_keep_look takes ownership of planes and erased,
// steps_keep_marks of the marks.
int steps_allocate(const struct steps *steps, const struct planes *planes, uint8_t **erased, struct err *e);
void steps_note_mark(struct steps *steps, enum plane plane);
void steps_keep_look(struct steps *steps, struct planes *planes, uint8_t *erased);
void steps_keep_marks(struct steps *steps, struct mark *marks);

enum { STEPS_MAX = 7, STEPS_MAX_SIDE = 512, STEPS_ABOUT_BYTES = 200 };

struct step {
	const char *name; // "picture", "light", "flat", "lines", "ink", "box" or "input"
	char about[STEPS_ABOUT_BYTES]; // a sentence or two
	struct image image; // grey values; or, if has_colour, indices of the palette; owned
	bool has_colour;
};

struct steps_drawn {
	int n;
	struct step at[STEPS_MAX];
};

// Draws the steps to a candidate, or with −1 those to a blank picture, as far as it came. pixels: (28, 28) of the candidate. A step that did
// not take place is left out; one is drawn at STEPS_MAX_SIDE at most, by means. *drawn is to be freed by steps_drawn_free, after a failure
// too.
int steps_draw(const struct steps *steps, int candidate, const uint8_t pixels[LENET5_PIXELS], struct steps_drawn *drawn,
	       struct err *e);
void steps_drawn_free(struct steps_drawn *drawn);

// The candidate's box in pixels of the picture that was sent. scale_x and scale_y: so many of them are one of those that were looked at.
struct steps_box {
	int x, y, width, height;
};
struct steps_box steps_box(const struct candidate *candidate, double scale_x, double scale_y);

// Index i below 128 is the grey value 2i or so; above are colours.
void steps_palette(uint8_t rgb[256][3]);
