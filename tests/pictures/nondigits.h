// nondigits: pictures that show no digit, or two, under the conditions of hard.h. For tests. For one thread at a time, as the fonts are.
#pragma once

#include "core/err.h"
#include "core/image.h"
#include "tests/pictures/glyphs.h"

#include <stdint.h>

enum nondigit_kind {
	NONDIGIT_LETTER,
	NONDIGIT_LOOKALIKE,
	NONDIGIT_GREEK,
	NONDIGIT_SIGN,
	NONDIGIT_WORD,
	NONDIGIT_SCRIBBLE,
	NONDIGIT_STROKE,
	NONDIGIT_DOTS,
	NONDIGIT_FIGURE,
	NONDIGIT_BLANK,
	NONDIGIT_TEXTURE,
	NONDIGIT_NOISE,
	NONDIGIT_PAIR,
	NONDIGIT_KINDS
};

const char *nondigit_name(int kind);
const char *nondigit_about(int kind);

// Makes a picture; left and right are the digits (28, 28) of a pair. The kind, the seed, the digits and the fonts decide every byte. The
// caller frees out by image_free.
int nondigit_make(int kind, uint64_t seed, struct glyphs *glyphs, const uint8_t *left, const uint8_t *right, struct image *out,
		  struct err *e);
