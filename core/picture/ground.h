// ground: the light that falls on a picture, taken out of it.
#pragma once

#include "core/err.h"
#include "core/image.h"

// Fills flat, (height, width) of the plane, with the plane over its ground: 255 where a pixel is as light as the ground around it, less where
// it is darker. The ground is what a grey closing leaves (J. Serra, Image Analysis and Mathematical Morphology, 1982): dark strokes of up to
// some 30 pixels are filled from their sides; larger things, be they a shadow, a lamp's reflection or the desk, are ground, with edges as
// sharp as they are. Returns −1, with e set, for want of memory.
int ground_flatten(const struct image *plane, uint8_t *flat, struct err *e);

// Fills ground, (height, width), with that ground alone.
int ground_find(const struct image *plane, uint8_t *ground, struct err *e);
