// PNG: IHDR is the first chunk (PNG specification, section 11.2.1). JPEG: a chain of segments, each 0xff, a marker and, mostly, a length,
// up to a start of frame (ITU-T T.81, Annex B). WebP: a first chunk that is the picture, or VP8X with its size (RFC 9649).
#include "core/picture/header.h"

#include "core/bytes.h"

#include <string.h>

enum {
	SOF0 = 0xc0,
	SOF15 = 0xcf,
	DHT = 0xc4,
	JPG = 0xc8,
	DAC = 0xcc,
	RST0 = 0xd0,
	SOI = 0xd8,
	EOI = 0xd9,
	SOS = 0xda,
	APP1 = 0xe1,
	TEM = 1,
};

static uint32_t u16_be(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t little_endian(const uint8_t *p, int n_bytes)
{
	uint32_t v = 0;
	for (int i = n_bytes - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static void read_png(const uint8_t *bytes, size_t n, struct picture_header *h)
{
	if (n < 29)
		return;
	h->width = bytes_u32_be(bytes + 16);
	h->height = bytes_u32_be(bytes + 20);
	h->is_interlaced = bytes[28] == 1;
}

// Sizes, and whether the first scan has fewer components than the frame; as for a progressive frame, all coefficients are then held.
static void read_frame(const uint8_t *segment, size_t length, int marker, struct picture_header *h)
{
	if (length < 8)
		return;
	h->height = u16_be(segment + 3);
	h->width = u16_be(segment + 5);
	h->is_whole = marker % 4 == 2;
}

static void read_jpeg(const uint8_t *bytes, size_t n, struct picture_header *h)
{
	int n_components = 0;
	for (size_t at = 2; at + 4 <= n;) {
		int marker = bytes[at + 1];
		if (bytes[at] != 0xff || marker == 0 || marker == 0xff || marker == TEM || (marker >= RST0 && marker <= SOI)) {
			at += bytes[at] == 0xff && marker != 0xff ? 2 : 1; // stray bytes, which libjpeg skips, and fill
			continue;
		}
		size_t length = u16_be(bytes + at + 2);
		const uint8_t *segment = bytes + at + 2;
		if (marker == EOI || length < 2 || length > n - at - 2)
			return;
		if (marker == APP1 && !h->exif && length >= 8 && memcmp(segment + 2, "Exif\0", 6) == 0) {
			h->exif = segment + 2;
			h->n_exif = length - 2;
		}
		if (marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC) {
			read_frame(segment, length, marker, h);
			n_components = length >= 8 ? segment[7] : 0;
		}
		if (marker == SOS) {
			h->is_whole |= length > 2 && segment[2] < n_components;
			return;
		}
		at += 2 + length;
	}
}

static void read_webp(const uint8_t *bytes, size_t n, struct picture_header *h)
{
	const uint8_t *data = bytes + 20;
	h->is_whole = true;
	if (n < 30)
		return;
	if (memcmp(bytes + 12, "VP8 ", 4) == 0 && memcmp(data + 3, "\x9d\x01\x2a", 3) == 0) {
		h->width = little_endian(data + 6, 2) & 0x3fff;
		h->height = little_endian(data + 8, 2) & 0x3fff;
	} else if (memcmp(bytes + 12, "VP8L", 4) == 0 && data[0] == 0x2f) {
		uint32_t sides = little_endian(data + 1, 4);
		h->width = (sides & 0x3fff) + 1;
		h->height = (sides >> 14 & 0x3fff) + 1;
	} else if (memcmp(bytes + 12, "VP8X", 4) == 0) {
		h->width = little_endian(data + 4, 3) + 1;
		h->height = little_endian(data + 7, 3) + 1;
	}
}

enum picture_format picture_format(const void *bytes, size_t n)
{
	const char *begin = bytes;
	if (n >= 8 && memcmp(begin, "\x89PNG\r\n\x1a\n", 8) == 0)
		return PICTURE_PNG;
	if (n >= 3 && memcmp(begin, "\xff\xd8\xff", 3) == 0)
		return PICTURE_JPEG;
	if (n >= 12 && memcmp(begin, "RIFF", 4) == 0 && memcmp(begin + 8, "WEBP", 4) == 0)
		return PICTURE_WEBP;
	return PICTURE_NO_FORMAT;
}

struct picture_header picture_read_header(const void *bytes, size_t n)
{
	struct picture_header h = { .format = picture_format(bytes, n) };
	switch (h.format) {
	case PICTURE_PNG:
		read_png(bytes, n, &h);
		break;
	case PICTURE_JPEG:
		read_jpeg(bytes, n, &h);
		break;
	case PICTURE_WEBP:
		read_webp(bytes, n, &h);
		break;
	case PICTURE_NO_FORMAT:
		break;
	}
	return h;
}
