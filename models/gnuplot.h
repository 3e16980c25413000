// gnuplot: runs gnuplot on a script that holds its data. Write text into the script by gnuplot_quote only, so that a file's name cannot
// become a command.
#pragma once

#include "core/err.h"

#include <stdio.h>

struct gnuplot {
	FILE *script; // for the caller to write to; data blocks are "$name << END" … "END"
	const char *out; // borrowed
};

// Colours of the series 0, 1, …, as "#rrggbb"; colour-blind people can tell them apart (Okabe and Ito).
const char *gnuplot_colour(int i);
enum { GNUPLOT_COLOURS = 7 };

// Begins a script for a picture of that size in points. `out` ends in .svg or .png; a PNG has two pixels a point.
int gnuplot_begin(struct gnuplot *g, const char *out, int width, int height, struct err *e);

// Writes text as a quoted gnuplot string; control characters become '?'.
void gnuplot_quote(struct gnuplot *g, const char *text);

// If status is 0, runs gnuplot and writes the picture, whole or not at all. Frees g in any case, also a zero-initialised one. Returns
// status, or -1 with gnuplot's message in e.
int gnuplot_end(struct gnuplot *g, int status, struct err *e);
