// gnuplot: a picture from a script and its data. Text goes into the script through gnuplot_quote, so that a file's name
// cannot be a command.
#pragma once

#include "core/err.h"

#include <stdio.h>

struct gnuplot {
	FILE *script; // for the caller to write to; data goes between "$name << END" and "END"
	const char *out; // borrowed
};

// The colours for series 0, 1, … that colour-blind people can tell apart, too (Okabe and Ito), as "#rrggbb".
const char *gnuplot_colour(int i);
enum { GNUPLOT_COLOURS = 7 };

// Begins a script for a picture of that size in points: `out` ends in .svg or .png, and a PNG has two pixels a point.
int gnuplot_begin(struct gnuplot *g, const char *out, int width, int height, struct err *e);

// As gnuplot's string, in quotes. Control characters become '?'.
void gnuplot_quote(struct gnuplot *g, const char *text);

// Runs gnuplot and writes the picture, whole or not at all. Its complaint, or that it is not installed, is in e.
int gnuplot_end(struct gnuplot *g, struct err *e);

void gnuplot_fini(struct gnuplot *g); // fine for a zeroed one
