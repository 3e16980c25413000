// pictures: makes picture files for the tests, by the libraries' own encoders. Whatever goes wrong ends the program: a test without its
// input tests nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The caller frees bytes.
struct file {
	uint8_t *bytes;
	size_t n;
};

enum { PICTURES_PNG_SPACE = 64 }; // more than put_header and a small chunk take

// Appends to `to`, which has room; return how many bytes they wrote.
size_t pictures_put_chunk(uint8_t *to, const char *kind, const void *data, size_t n);
size_t pictures_put_header(uint8_t *to, size_t width, size_t height, int depth, int type, int interlacing);

// EXIF's data with an orientation, little-endian; n bytes of the 26 are written.
size_t pictures_put_exif(uint8_t to[26], int orientation);

// samples: (height, width, channels) of 8 bits; 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. orientation 0: without EXIF, and plain.
struct file pictures_png(const uint8_t *samples, int width, int height, int channels, int orientation);
// rows: filtered rows, as they are compressed, of any depth and type
struct file pictures_png_of_rows(const void *rows, size_t n, int width, int height, int depth, int type, int interlacing);

enum pictures_colours { JPEG_GREY, JPEG_YCC, JPEG_RGB, JPEG_CMYK, JPEG_YCCK };

struct pictures_jpeg {
	enum pictures_colours colours;
	int quality;
	bool halved_chroma; // 4:2:0; else 4:4:4
	bool progressive;
	int ac_scans; // of a grey progressive JPEG: a scan for each of so many coefficients
	bool without_adobe; // no such marker with CMYK
	int orientation; // 0: without EXIF
};

// samples: (height, width, channels): grey, RGB, or CMYK
struct file pictures_jpeg(const uint8_t *samples, int width, int height, const struct pictures_jpeg *how);

// rgba: (height, width, 4). quality 100 and lossless: the same values come back.
struct file pictures_webp(const uint8_t *rgba, int width, int height, bool lossless, int orientation);

// Calls cut with the first bytes of the file, 0 to n_cuts − 1 of them, in memory of just that size; then flipped with the whole file, each
// of its bits wrong in turn.
void pictures_damage(struct file *file, size_t n_cuts, void (*cut)(const uint8_t *bytes, size_t n),
		     void (*flipped)(const uint8_t *bytes, size_t n));
