// reduce: averages a picture down by a whole factor while its rows come, so that a picture of any size takes memory for its result
// only. A pixel of the result is the rounded mean of factor × factor pixels; those at the right and lower edge may have fewer. The
// rows may come in any order and with gaps (Adam7), each pixel once.
#pragma once

#include "core/picture/picture.h"

enum reduce_channel { REDUCE_LUMA, REDUCE_CB, REDUCE_CR, REDUCE_ALPHA, REDUCE_CHANNELS };

// Zero-initialise; reduce_fini frees what it holds.
struct reduce {
	int width, height; // of what comes
	int factor;
	int n_columns, n_rows; // of the result
	uint8_t *row[REDUCE_CHANNELS]; // (width): for the caller to fill before each reduce_add; NULL: there is no such channel
	int sum_bytes; // 1, 2 or 4
	void *sums[REDUCE_CHANNELS]; // (n_rows, n_columns); weighted with alpha where there is one and factor > 1
	uint16_t *column_of; // (width): the column of the result; NULL if factor is 1
	uint64_t light, visible; // over all pixels: Σ luma·alpha, Σ alpha
	uint8_t colour; // not 0: some pixel has colour
};

// The least factor for which a picture of this size has at most looked_at pixels.
int reduce_factor(int width, int height, size_t looked_at);

// Width and height are at most PICTURE_MAX_SIDE.
int reduce_init(struct reduce *r, int width, int height, size_t looked_at, bool has_colour, bool has_alpha, struct err *e);
void reduce_fini(struct reduce *r);

// Adds n pixels from r->row, whose values may change: those at (x + i·step, y).
void reduce_add(struct reduce *r, int x, int y, int step, int n);

// Makes the result, once every pixel has been added. A picture with alpha is laid on black if what is visible is light, on white if it
// is dark, so that the drawing stays apart from its ground. orientation: EXIF's, 1 to 8, how to turn the picture upright. The sent
// sizes are those before the reduction. Takes what r holds; r still wants reduce_fini.
int reduce_finish(struct reduce *r, int orientation, struct picture *picture, struct err *e);
