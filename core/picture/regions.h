// regions: the dark regions of a grey picture that stand out from what surrounds them, at whatever level of grey.
//
// A region is a connected set of pixels that are all darker than every pixel around it. All regions of a picture form its component
// tree: as a threshold rises they appear, grow and merge. What a person sees as one mark is the region whose outline runs along the
// steepest edge. No global or local threshold is chosen: uneven light, a desk around the sheet, thick and thin strokes need nothing
// of their own. (L. Najman, M. Couprie, Building the Component Tree in Quasi-Linear Time, IEEE Trans. Image Processing 15(11), 2006;
// the selection is akin to J. Matas et al., Robust Wide Baseline Stereo from Maximally Stable Extremal Regions, BMVC 2002.)
#pragma once

#include "core/err.h"
#include "core/image.h"

#include <stdbool.h>
#include <stdint.h>

struct region {
	int left, top, right, bottom; // [left, right) × [top, bottom), in pixels
	int x, y; // one of its pixels
	int threshold; // its pixels are those of value ≤ threshold that are connected to that one, diagonally too
	int area; // pixels
	int outline; // sides of its pixels that face other pixels
	int on_border; // sides of its pixels on the picture's border
	float edge; // the mean step of grey value across the outline
};

struct regions_limits {
	int min_side; // of the longer side of a region's box, in pixels
	float min_edge; // of region.edge
	bool any; // also find blobs, and regions along the border
	int step; // grey values in a level of the tree, at least 1; in noise, more are quicker
};

// Finds at most max regions, the most conspicuous first. Regions may contain each other, but not with nearly the same box. Regions
// that are solid blobs, or that lie along most of the picture's border, are left out. Returns how many, or −1 and e for want of memory.
int regions_find(const struct image *plane, const struct regions_limits *limits, struct region *regions, int max, struct err *e);

// Sets the region's pixels in mask, (height, width) of the plane, to `value`. mask must be 0 there. stack: room for width·height.
void regions_fill(const struct image *plane, const struct region *region, uint8_t value, uint8_t *mask, uint32_t *stack);
