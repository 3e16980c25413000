// shape: something to draw at any size, with a pen of any width: a digit of the data, a letter, a scribble. Constant once made; any thread.
//
// It has an outline, as a distance to it, or strokes, as short lines along their middles, or both. Coordinates are those of a 28×28
// picture, of which a cell is an eighth.
#pragma once

#include "core/err.h"
#include "tests/pictures/canvas.h"

#include <stdbool.h>
#include <stdint.h>

enum { SHAPE_CELLS = 8, SHAPE_SIDE = 28 * SHAPE_CELLS, SHAPE_MAX_LINES = 6000 };

struct shape {
	bool has_outline;
	float edge[SHAPE_SIDE * SHAPE_SIDE]; // (SHAPE_SIDE, SHAPE_SIDE): the distance from the outline, negative inside
	int n_lines;
	float lines[SHAPE_MAX_LINES][4]; // x0, y0, x1, y1
	float left, top, right, bottom; // of what is drawn
};

// Where and how a shape is drawn.
struct pen {
	float x, y; // the middle of the shape, in the canvas's pixels
	float size; // its longer side, in pixels
	float angle, slant, wide; // turned by radians, sheared, and stretched to the side; 0, 0, 1: as it is
	float width; // of the strokes, in pixels; 0: by the outline, or where there is none a twelfth of the size
	float bolder; // pixels that the outline moves outward
};

// A new shape of a digit's 28×28 pixels, smoothed; NULL without memory. free frees it.
struct shape *shape_of_digit(const uint8_t digit[784], struct err *e);

// Two digits side by side; one alone if right is NULL.
struct shape *shape_of_digits(const uint8_t *left, const uint8_t *right, struct err *e);

// The same of a mask (SHAPE_SIDE, SHAPE_SIDE), 1 inside.
struct shape *shape_of_mask(const uint8_t *mask, struct err *e);

// A shape without strokes, to add them to. A full shape takes no more.
struct shape *shape_new(struct err *e);
void shape_add_line(struct shape *s, float x0, float y0, float x1, float y1);

// Covers the canvas with the shape.
void shape_draw(const struct shape *s, const struct pen *pen, struct canvas *c);
