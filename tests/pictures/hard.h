// hard: digits as people hand them in, in pictures that are hard to read: uneven light, forms, ruled paper, bad cameras. For tests; the
// network's own training pictures are made by other code (models/scenes.h). No state; any thread.
#pragma once

#include "core/err.h"
#include "core/image.h"
#include "core/rng.h"
#include "tests/pictures/shape.h"

#include <stdint.h>

enum hard_condition {
	HARD_PLAIN,
	HARD_GRADIENT,
	HARD_GRADIENT_SLIGHT,
	HARD_VIGNETTE,
	HARD_SHADOW,
	HARD_GLARE,
	HARD_BLURRED,
	HARD_MOTION,
	HARD_NOISY,
	HARD_JPEG,
	HARD_SMALL,
	HARD_TINY,
	HARD_TILTED,
	HARD_BOXED,
	HARD_CELL,
	HARD_DESK,
	HARD_RULED,
	HARD_SQUARED,
	HARD_MARGIN,
	HARD_PALE,
	HARD_MARKER,
	HARD_THIN,
	HARD_BLACKBOARD,
	HARD_WHITEBOARD,
	HARD_INVERTED,
	HARD_LETTERBOX,
	HARD_FRAME,
	HARD_EDGES,
	HARD_SHOW_THROUGH,
	HARD_SPECKS,
	HARD_TEXTURED,
	HARD_SCREEN,
	HARD_FADED,
	HARD_MIXED,
	HARD_CONDITIONS
};

// "gradient-slight" and so on, and a line that says what it is.
const char *hard_name(int condition);
const char *hard_about(int condition);

// Makes a picture of the digit. The condition, the seed and the digit decide every byte. The caller frees out by image_free.
int hard_make(int condition, uint64_t seed, const uint8_t digit[784], struct image *out, struct err *e);

// The same of any shape; draws from rng.
int hard_make_shape(int condition, struct rng *rng, const struct shape *shape, struct image *out, struct err *e);
