// header: what the first bytes of a picture file say of it: format and size. Pure functions of a buffer, of any bytes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum picture_format { PICTURE_NO_FORMAT, PICTURE_PNG, PICTURE_JPEG, PICTURE_WEBP };

struct picture_header {
	enum picture_format format;
	uint32_t width, height; // as stored, not turned; 0: unknown, since the file is damaged or cut off
	bool is_whole; // decoding holds the whole picture: WebP, JPEG in several scans
	bool is_interlaced; // a PNG
	const uint8_t *exif; // of a JPEG: n_exif bytes of the buffer, from "Exif\0\0" on; NULL: none
	size_t n_exif;
};

// By the signature alone.
enum picture_format picture_format(const void *bytes, size_t n);

struct picture_header picture_read_header(const void *bytes, size_t n);
