// picture: what a picture file shows, upright and not larger than what is looked at. Also the limits and results of all decoders.
#pragma once

#include "core/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Owned by its holder; picture_free frees it. Luma of JPEG and WebP is BT.601's, as in their files; that of a coloured PNG is Rec. 709's.
struct picture {
	int width, height; // of the planes
	int sent_width, sent_height; // of the picture in the file, upright, too
	uint8_t *luma; // (height, width), 0 black to 255 white; the memory of cb and cr lies behind it
	uint8_t *cb, *cr; // (height, width), BT.601 in full range, 128 is none; both NULL: the picture is grey
};

void picture_free(struct picture *picture);

struct picture_limits {
	uint64_t max_pixels; // width × height by the header, checked before anything is allocated
	uint64_t max_whole_pixels; // the same, for what must be held whole: WebP and progressive JPEG
	int max_scans; // of a JPEG
	size_t looked_at; // pixels of the result at most; at least 1
	int64_t deadline_ns; // by clock_now_ns, after which decoding stops; 0: none
	const atomic_bool *gone; // decoding also stops when this becomes true: nobody waits for the picture any more; or NULL
};

enum {
	PICTURE_MAX_PIXELS = 64 << 20,
	PICTURE_MAX_WHOLE_PIXELS = 16 << 20,
	PICTURE_MAX_SCANS = 32,
	PICTURE_LOOKED_AT = 1 << 20,
	PICTURE_MAX_SIDE = 65535, // JPEG's own limit, for PNG, too: a row is held in memory
};

#define PICTURE_LIMITS                                                                                                             \
	{                                                                                                                          \
		PICTURE_MAX_PIXELS, PICTURE_MAX_WHOLE_PIXELS, PICTURE_MAX_SCANS, PICTURE_LOOKED_AT, 0, NULL                        \
	}

enum picture_result {
	PICTURE_OK,
	PICTURE_UNKNOWN, // not a format that is read
	PICTURE_TOO_LARGE, // more pixels or scans than a limit
	PICTURE_DAMAGED,
	PICTURE_LATE, // the deadline passed, or limits->gone became true
	PICTURE_FAILED, // no memory
};

// For decoders: whether the deadline has passed or `gone` is true; then e says so.
bool picture_is_late(const struct picture_limits *limits, struct err *e);

// For decoders: checks the size that the header gives. whole: what must be held whole, as "a WebP", or NULL. Unless PICTURE_OK, e
// says which limit it is.
enum picture_result picture_check_size(uint32_t width, uint32_t height, const char *whole, const struct picture_limits *limits,
				       struct err *e);
