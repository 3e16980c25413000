// glyphs: letters of DejaVu's fonts, by FreeType, as masks for shapes. For one thread at a time.
#pragma once

#include "core/err.h"
#include "tests/pictures/shape.h"

#include <stdint.h>
#include <uchar.h>

#define GLYPHS_FOLDER "/usr/share/fonts/truetype/dejavu" // Debian's package fonts-dejavu-core

struct glyphs;

// Opens the fonts of the folder. glyphs_close frees; NULL is fine.
int glyphs_open(const char *folder, struct glyphs **glyphs, struct err *e);
void glyphs_close(struct glyphs *g);

int glyphs_n_fonts(const struct glyphs *g);

// Draws the text as large as it fits in the middle five sevenths of the mask, as MNIST's digits are; 1 is ink.
int glyphs_mask(struct glyphs *g, int font, const char32_t *text, uint8_t mask[SHAPE_SIDE * SHAPE_SIDE], struct err *e);
