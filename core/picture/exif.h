// exif: how a picture must be turned, from the EXIF data in its file. Nothing else of them is read.
#pragma once

#include <stddef.h>
#include <stdint.h>

// tiff: what follows "Exif\0\0" in a JPEG, and a chunk's data in a PNG or WebP, where some programs write these six bytes, too.
// Returns the orientation, 1 to 8 (CIPA DC-008, tag 274); 1 if there is none, or the data are damaged. Any bytes will do.
int exif_orientation(const uint8_t *tiff, size_t n);
