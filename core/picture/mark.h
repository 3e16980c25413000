// mark: strokes cut out of a picture, from which a digit is drawn. Its functions return 0, or −1 and e for want of memory, if not said
// otherwise; *mark is untouched after a failure, and the caller frees it with mark_free.
#pragma once

#include "core/err.h"
#include "core/image.h"
#include "core/lenet5.h"
#include "core/picture/regions.h"

#include <stdbool.h>
#include <stdint.h>

struct mark {
	int left, top, right, bottom; // [left, right) × [top, bottom) of the plane
	uint8_t *mask; // (bottom − top, right − left): 1 where a stroke is; owned
	int area; // pixels of strokes
	float edge; // the mean step of grey value along its outline
	float ground; // set by mark_draw: the share of its surroundings that is ground
	float width; // set by mark_draw: the mean width of the strokes, in pixels
	float softness; // set by mark_draw: the width of the step from ground to ink, as a share of the longer side
};

void mark_free(struct mark *mark);

// Makes a mark of a region's pixels. scratch: (height, width) of the plane, all 0, and 0 again afterwards; stack: room for as many.
int mark_from_region(const struct image *plane, const struct region *region, uint8_t *scratch, uint32_t *stack, struct mark *mark,
		     struct err *e);

int mark_copy(const struct mark *from, struct mark *mark, struct err *e);

// Makes a mark of the strokes of both.
int mark_join(const struct mark *a, const struct mark *b, struct mark *mark, struct err *e);

struct mark_lines {
	int n_level, n_upright;
};

// Erases straight lines from a mark: level ones at least min_width long, upright ones at least min_height long, each within 8 degrees and at
// most `thickness` wide. Strokes that cross a line stay. erased: (height, width) of the plane, set to 1 where a line was; or NULL.
struct mark_lines mark_strip_lines(struct mark *mark, int min_width, int min_height, int thickness, uint8_t *erased,
				   const struct image *plane);

// Cuts a mark into its connected pieces whose longer side is at least min_side, the largest first; at most max. Returns how many, or −1.
int mark_pieces(const struct mark *mark, int min_side, struct mark *pieces, int max, struct err *e);

// Draws the mark as MNIST's digits are: 20×20 with its aspect kept, centred by mass, grey at the edges. plane: the picture it was found in,
// in which its strokes are dark. Returns 1; 0 if it holds no ink; −1 and e for want of memory.
int mark_draw(const struct image *plane, struct mark *mark, uint8_t pixels[LENET5_PIXELS], struct err *e);

// Whether the box of a holds that of b.
static inline bool mark_contains(const struct mark *a, const struct mark *b)
{
	return a->left <= b->left && a->top <= b->top && a->right >= b->right && a->bottom >= b->bottom;
}
