// planes: what of a picture is searched for marks: itself, its negative, and each of them with its light taken out. No state; any thread.
#pragma once

#include "core/err.h"
#include "core/image.h"

#include <stdbool.h>

// In each of them strokes are dark: in the picture, in its negative, and in these as ground.h flattens them.
enum plane { PLANES_DARK, PLANES_LIGHT, PLANES_FLAT_DARK, PLANES_FLAT_LIGHT, PLANES_N };

struct planes {
	int reduction; // pixels of the picture to one of the planes, in x and in y
	int width, height;
	int smoothed; // how many times, against noise
	struct image at[PLANES_N];
	bool wanted[PLANES_N]; // strokes may be found in it
	float noise[PLANES_N]; // standard deviation, in grey levels; of the wanted ones
};

// Reduces the picture and makes its planes. Much noise is smoothed. *p is to be freed by planes_free, after a failure too.
int planes_make(const struct image *image, int reduction, struct planes *p, struct err *e);
void planes_free(struct planes *p);

static inline bool planes_is_light(enum plane plane)
{
	return plane == PLANES_LIGHT || plane == PLANES_FLAT_LIGHT;
}
