// candidates: the parts of a picture that may be its digit, each drawn in MNIST's form for a network, which is the judge. No state; any
// thread.
//
// A picture goes through these steps: regions (regions.h) of both polarities, dark on light and light on dark; long straight lines taken
// out of them (lines.c); strokes that lie near each other joined to groups, since a digit may be drawn in several strokes; and each of
// these drawn as 28×28 pixels (draw.c).
#pragma once

#include "core/err.h"
#include "core/image.h"
#include "core/lenet5.h"
#include "core/picture/search_stop.h"

#include <stdbool.h>
#include <stdint.h>

enum { CANDIDATES_MAX = 16 };

struct candidate {
	int left, top, right, bottom; // [left, right) × [top, bottom), in pixels of the picture
	bool is_light; // its strokes are lighter than the ground
	float edge; // the mean step of grey value along its outline
	float width; // the mean width of its strokes, in pixels
	float softness; // the width of the step from ground to ink across its outline, as a share of its longer side
	uint32_t parts; // bit k: its strokes are more than those of candidate k, and hold three quarters of them
};

struct candidates {
	int n;
	struct candidate at[CANDIDATES_MAX]; // the most conspicuous first
	uint8_t pixels[CANDIDATES_MAX][LENET5_PIXELS]; // (n, 28, 28)
};

// Finds the candidates of a picture of any size; n is 0 if nothing stands out from the ground. A picture in MNIST's form is its only
// candidate, bit for bit. The same picture gives the same bits on every machine. After −1, for want of memory, e is set.
int candidates_find(const struct image *image, struct candidates *candidates, struct err *e);

// The same. stop, or NULL: when its condition becomes true, returns −1 without a message and sets stop->stopped. steps, or NULL: keeps how
// candidates were found (steps.h); zero-initialised, and to be freed by steps_free, after a failure too.
struct steps;
int candidates_search(const struct image *image, struct search_stop *stop, struct steps *steps, struct candidates *candidates,
		      struct err *e);
