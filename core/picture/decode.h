// decode: from a file's bytes to a picture. The format is told by the bytes alone. Any thread.
#pragma once

#include "core/picture/header.h"
#include "core/picture/picture.h"

#define DECODE_FORMATS "PNG, JPEG or WebP"

// Reads a PNG, JPEG or WebP (png.h, jpeg.h, webp.h). Unless PICTURE_OK, e says why in words for the sender and *picture is untouched; for
// a known format that is not read, it names that and how to convert it.
enum picture_result picture_decode(const void *bytes, size_t n, const struct picture_limits *limits, struct picture *picture,
				   struct err *e);

// Whether the bytes begin as a format does that is read.
bool picture_is_known(const void *bytes, size_t n);

// Whether they begin as one does that is known but not read.
bool picture_is_other(const void *bytes, size_t n);

// Width × height by the header; 0 if it has none, or is cut off before that.
uint64_t picture_n_pixels(const void *bytes, size_t n);

enum picture_cost {
	PICTURE_TINY, // not larger than a digit of MNIST, 28×28
	PICTURE_SMALL, // such as a canvas to draw on, 280×280: decoded or refused within about 2 ms
	PICTURE_COSTLY,
};

// By the header and the number of bytes.
enum picture_cost picture_cost(const void *bytes, size_t n);

// An upper estimate, by the header, of the memory in bytes that picture_decode takes for this file; 0 for one that is not costly, and for
// one that a limit refuses.
uint64_t picture_memory(const void *bytes, size_t n, const struct picture_limits *limits);

// The same for the largest picture that the limits allow.
uint64_t picture_memory_at_most(const struct picture_limits *limits);
