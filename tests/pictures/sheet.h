// sheet: a contact sheet, to look at what the generators make: a row of pictures for each condition and kind. One thread at a time.
#pragma once

#include "core/err.h"
#include "core/image.h"
#include "tests/pictures/glyphs.h"

struct sheet {
	struct image image; // owned; image_free frees its pixels
	int n_rows;
};

enum { SHEET_COLUMNS = 12 }; // of pictures, behind a column of names

int sheet_open(struct sheet *s, int n_rows, struct err *e);

// Draws a picture into a cell, reduced by means or enlarged by whole pixels. Column −1 is that of the names.
void sheet_put(struct sheet *s, int row, int column, const struct image *picture);

// Writes a row's name, in ASCII.
int sheet_name(struct sheet *s, int row, const char *name, struct glyphs *glyphs, struct err *e);
