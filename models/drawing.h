// drawing: grey values that a scene is composed on, and the random numbers that decide it.
#pragma once

#include "core/idx.h"
#include "core/rng.h"

#include <stdbool.h>
#include <stdint.h>

struct drawing {
	int width, height;
	float *grey; // (height, width): 0 to 255
	struct rng rng;
	float paper, ink; // grey values
};

float drawing_uniform(struct drawing *c, float low, float high);
bool drawing_chance(struct drawing *c, float p);
int drawing_pick(struct drawing *c, int n); // of 0 to n − 1
float drawing_clamp(float v, float low, float high);

// Lays `level` over the pixel by `alpha`; nothing outside the drawing.
void drawing_put(struct drawing *c, int x, int y, float level, float alpha);

// A straight stroke of the given width, with a soft edge of one pixel.
void drawing_stroke(struct drawing *c, float x0, float y0, float x1, float y1, float width, float level);

struct drawing_box {
	float left, top, right, bottom; // of what was drawn, in pixels
};

// Draws a picture of a data set as strokes, turned and slanted a little, about (x, y). size: of 20 of its pixels. mirrored: turned by
// quarters or mirrored, so that it is no digit, if it is a 3, 4 or 7.
struct drawing_box drawing_digit(struct drawing *c, const uint8_t *pixels, float x, float y, float size, bool mirrored,
				 float level);

// A letter or a sign that looks like no digit, `size` high.
void drawing_letter(struct drawing *c, float x, float y, float size, float width, float level);

// A polygon, a star or a blot, `size` in diameter.
void drawing_figure(struct drawing *c, float x, float y, float size, float width, float level);

// A wild line of several bends, or a straight one, or a dot.
void drawing_scribble(struct drawing *c, float x, float y, float size, float width, float level);
