// look: how a shape is drawn, on what, in what light and by which camera. The layers of a picture, and the numbers that they share.
//
// look_render draws them in the order of enum look_layer; each layer draws the rest of what it needs from the generator of random numbers.
#pragma once

#include "core/err.h"
#include "core/image.h"
#include "core/rng.h"
#include "tests/pictures/canvas.h"
#include "tests/pictures/shape.h"

enum look_layer {
	// on the sheet, below the ink (surface.c)
	LOOK_PAPER = 1 << 0, // grain
	LOOK_CLOTH = 1 << 1, // threads
	LOOK_BEHIND = 1 << 2, // writing on the other side
	LOOK_RULED = 1 << 3,
	LOOK_SQUARED = 1 << 4,
	LOOK_MARGIN = 1 << 5,
	LOOK_DUST = 1 << 6, // what a sponge leaves on a blackboard
	LOOK_CELL = 1 << 7, // a form's frame at the borders
	LOOK_BOX = 1 << 8, // drawn by hand around the shape
	LOOK_SPECKS = 1 << 9,
	// over the ink
	LOOK_FADED = 1 << 10, // bands without ink, creases
	// around the sheet, and light on it (surroundings.c)
	LOOK_DESK = 1 << 11,
	LOOK_TILT = 1 << 12,
	LOOK_GRADIENT = 1 << 13,
	LOOK_VIGNETTE = 1 << 14,
	LOOK_SHADOW = 1 << 15,
	LOOK_GLARE = 1 << 16,
	LOOK_INVERTED = 1 << 17,
	LOOK_BARS = 1 << 18, // black, at two sides
	LOOK_FRAME = 1 << 19, // of one to three dark pixels
	LOOK_WINDOW = 1 << 20, // with a title bar
	// the camera
	LOOK_SCREEN = 1 << 21, // pixels of a display, and moiré
	LOOK_BLUR = 1 << 22,
	LOOK_MOTION = 1 << 23,
	LOOK_NOISE = 1 << 24,
	LOOK_JPEG = 1 << 25,
};

struct look {
	int width, height; // of the sheet, which is the picture unless it lies on a desk
	unsigned layers;
	float paper, ink; // grey levels
	float strength; // of the ink, 0 to 1
	float grain; // of the ink (canvas_ink)
	struct pen pen;
	float gradient; // the part of the light that is lost from one side to the other
	float shadow; // the part of the light that is lost in a shadow
	float glare; // 0 to 1: how white its middle is
	float blur, motion, noise; // in pixels, pixels and grey levels
	int jpeg; // the quality
};

// Draws the picture. image's pixels are the caller's.
int look_render(const struct look *l, const struct shape *shape, struct rng *rng, struct image *image, struct err *e);

// The layers. Each draws on the whole canvas, which for the first two is the sheet.
void surface_below(struct canvas *c, const struct look *l, struct rng *rng);
void surface_above(struct canvas *c, const struct look *l, struct rng *rng);
int surroundings_place(struct canvas *sheet, const struct look *l, struct rng *rng, struct err *e); // *sheet becomes the picture
void surroundings_light(struct canvas *c, const struct look *l, struct rng *rng);
void surroundings_border(struct canvas *c, const struct look *l, struct rng *rng);
void surroundings_screen(struct canvas *c, struct rng *rng);
