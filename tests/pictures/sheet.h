// sheet: a contact sheet, to look at what the generators make: a row of pictures for each condition and kind. One thread at a time.
#pragma once

#include "core/err.h"
#include "core/image.h"

struct sheet {
	struct image image; // owned; image_free frees its pixels
	int n_rows;
};

enum { SHEET_COLUMNS = 12 };

int sheet_open(struct sheet *s, int n_rows, struct err *e);

// Draws a picture into a cell, reduced by means or enlarged by whole pixels.
void sheet_put(struct sheet *s, int row, int column, const struct image *picture);
