// parts: the marks of a picture, at one scale: what a person would see as a stroke, or as several that are joined. No state; any thread.
//
// A frame, a table's rules or the lines of ruled paper are often connected with the digit in one region (regions.h). Then the region is
// taken apart: long straight lines are stripped, and what is left of it, piece by piece, is a mark. Where a region may be a digit itself,
// it stays one as well.
#pragma once

#include "core/err.h"
#include "core/picture/mark.h"
#include "core/picture/planes.h"
#include "core/picture/search_stop.h"

#include <stdbool.h>

struct part {
	struct mark mark; // owned
	enum plane plane; // that it was found in
	bool is_piece; // left over from a region whose lines were stripped
	bool is_frame; // straight lines only
	float rank;
};

enum { PARTS_MAX = 20 };

struct parts {
	int n;
	struct part at[PARTS_MAX]; // the most conspicuous first
};

// Finds parts in the wanted planes. any: the last resort, whatever stands out. stop, or NULL, is asked before each plane. erased: (2, height,
// width) of zeros, [is_light], set to 1 where a line or a frame was taken out; or NULL. *parts is to be freed by parts_free, after a
// failure too.
int parts_find(const struct planes *planes, bool any, struct search_stop *stop, uint8_t *erased, struct parts *parts,
	       struct err *e);
void parts_free(struct parts *parts);
