// png: the only user of libpng. Reads PNG pictures, writes grey ones and those with a palette.
#pragma once

#include "core/image.h"
#include "core/picture/picture.h"

// Reads any PNG: all colour types, depths and interlacing. 16 bits are rounded to 8, luma is Rec. 709's, a palette is looked up; for
// transparency see reduce.h. Only IHDR, PLTE, tRNS, IDAT and IEND are looked at, and eXIf for the orientation; all else is skipped
// unread. What the compressed stream holds beyond the last row is not inflated. Unless PICTURE_OK, e says why and *picture is untouched.
enum picture_result png_decode(const uint8_t *bytes, size_t n, const struct picture_limits *limits, struct picture *picture,
			       struct err *e);

// Writes an 8-bit grey PNG. The caller frees *bytes.
int png_encode(const struct image *image, uint8_t **bytes, size_t *n, struct err *e);

// The same with a palette: RGB of the image's values, or NULL: they are grey. quickly: in a fraction of the time, for a larger file.
int png_encode_palette(const struct image *image, uint8_t palette[256][3], bool quickly, uint8_t **bytes, size_t *n, struct err *e);
