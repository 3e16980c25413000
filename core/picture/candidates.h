// candidates: the parts of a picture that may be its digit, each drawn in MNIST's form for a network, which is the judge. No state; any
// thread.
//
// A picture goes through these steps: regions (regions.h) of both polarities, dark on light and light on dark; long straight lines taken
// out of them (lines.c); strokes that lie near each other joined to groups, since a digit may be drawn in several strokes; and each of
// these drawn as 28×28 pixels (draw.c).
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "core/image.h"
#include "core/lenet5.h"

#include <stdbool.h>
#include <stdint.h>

enum { CANDIDATES_MAX = 16 };

struct candidate {
	int left, top, right, bottom; // [left, right) × [top, bottom), in pixels of the picture
	bool is_light; // its strokes are lighter than the ground
	float edge; // the mean step of grey value along its outline
};

struct candidates {
	int n;
	struct candidate at[CANDIDATES_MAX]; // the most conspicuous first
	uint8_t pixels[CANDIDATES_MAX][LENET5_PIXELS]; // (n, 28, 28)
};

// Finds the candidates of a picture of any size; n is 0 if nothing stands out from the ground; then e says so for the sender. A
// picture in MNIST's form is its only candidate, bit for bit. The same picture gives the same bits on every machine. After −1, for want of memory, e is set.
int candidates_find(const struct image *image, struct candidates *candidates, struct err *e);

// A condition to stop a search on. It is asked a few times, some milliseconds apart at most on a picture of 280×280.
struct candidates_stop {
	bool (*is_due)(void *arg);
	void *arg;
	bool stopped; // set by the search: it has stopped
};

// As candidates_find, but returns −1 without a message and sets stop->stopped when the condition becomes true.
int candidates_find_until(const struct image *image, struct candidates_stop *stop, struct candidates *candidates, struct err *e);

// The candidate that is the picture's digit. predictions: (n), a network's of each. A part of a digit loses to the whole, and the
// inconspicuous to the conspicuous. n is at least 1.
int candidates_best(const struct candidate *at, int n, const struct lenet5_prediction *predictions);

// Finds a picture's candidates, computes them in one pass and predicts the best one's digit. context: with room for CANDIDATES_MAX pictures.
// Returns 1; 0 if nothing stands out from the ground; −1 after a failure. e is set unless 1.
int candidates_read(const struct image *image, struct engine_context *context, const struct engine_model *model,
		    struct lenet5_prediction *prediction, struct err *e);
