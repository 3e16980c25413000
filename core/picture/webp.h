// webp: the only user of libwebp. Reads WebP pictures.
#pragma once

#include "core/picture/picture.h"

// Reads lossy and lossless WebPs, with alpha or without; animations are PICTURE_UNKNOWN. libwebp itself scales a picture down that is
// larger than limits->looked_at, by area. Of the metadata only EXIF's orientation is read. Unless PICTURE_OK, e says why and *picture is
// untouched.
enum picture_result webp_decode(const uint8_t *bytes, size_t n, const struct picture_limits *limits, struct picture *picture,
				struct err *e);
