// jpeg: the only user of libjpeg-turbo. Reads JPEG pictures.
#pragma once

#include "core/picture/picture.h"

// Reads baseline and progressive JPEGs: grey, YCbCr, RGB, CMYK and YCCK. A picture larger than limits->looked_at is decoded at 1/2, 1/4
// or 1/8, and averaged down from there if need be. Of the metadata only EXIF's orientation is read. Unless PICTURE_OK, e says why and
// *picture is untouched.
enum picture_result jpeg_decode(const uint8_t *bytes, size_t n, const struct picture_limits *limits, struct picture *picture,
				struct err *e);
