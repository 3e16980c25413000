#include "tests/unit/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <webp/encode.h>
#include <zlib.h>

static void *take(size_t n)
{
	void *p = malloc(n + !n);
	if (!p)
		abort();
	return p;
}

static size_t put_u32(uint8_t *to, size_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
	return 4;
}

static size_t put_little(uint8_t *to, size_t value, int n)
{
	for (int i = 0; i < n; i++)
		to[i] = (uint8_t)(value >> 8 * i);
	return (size_t)n;
}

size_t pictures_put_chunk(uint8_t *to, const char *kind, const void *data, size_t n)
{
	put_u32(to, n);
	memcpy(to + 4, kind, 4);
	memcpy(to + 8, data, n);
	put_u32(to + 8 + n, crc32(0, to + 4, (unsigned)n + 4));
	return n + 12;
}

size_t pictures_put_header(uint8_t *to, size_t width, size_t height, int depth, int type, int interlacing)
{
	uint8_t ihdr[13] = { [8] = (uint8_t)depth, [9] = (uint8_t)type, [12] = (uint8_t)interlacing };
	put_u32(ihdr, width);
	put_u32(ihdr + 4, height);
	memcpy(to, "\x89PNG\r\n\x1a\n", 8);
	return 8 + pictures_put_chunk(to + 8, "IHDR", ihdr, sizeof ihdr);
}

size_t pictures_put_exif(uint8_t to[26], int orientation)
{
	memcpy(to, "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0", 18);
	put_little(to + 18, (size_t)orientation, 4);
	memset(to + 22, 0, 4); // no further directory
	return 26;
}

static struct file png_of_rows(const void *rows, size_t n, int width, int height, int depth, int type, int interlacing,
			       int orientation)
{
	uLongf n_packed = compressBound(n);
	uint8_t *packed = take(n_packed), *to = take(n_packed + 3 * PICTURES_PNG_SPACE), exif[26];
	if (compress2(packed, &n_packed, rows, n, 6) != Z_OK)
		abort();
	size_t at = pictures_put_header(to, (size_t)width, (size_t)height, depth, type, interlacing);
	if (orientation)
		at += pictures_put_chunk(to + at, "eXIf", exif, pictures_put_exif(exif, orientation));
	at += pictures_put_chunk(to + at, "IDAT", packed, n_packed);
	at += pictures_put_chunk(to + at, "IEND", "", 0);
	free(packed);
	return (struct file){ to, at };
}

struct file pictures_png_of_rows(const void *rows, size_t n, int width, int height, int depth, int type, int interlacing)
{
	return png_of_rows(rows, n, width, height, depth, type, interlacing, 0);
}

struct file pictures_png(const uint8_t *samples, int width, int height, int channels, int orientation)
{
	static const int types[] = { 0, 0, 4, 2, 6 };
	size_t row = (size_t)(width * channels), n = (row + 1) * (size_t)height;
	uint8_t *rows = take(n);
	for (size_t y = 0; y < (size_t)height; y++) {
		rows[y * (row + 1)] = 0;
		memcpy(rows + y * (row + 1) + 1, samples + y * row, row);
	}
	struct file file = png_of_rows(rows, n, width, height, 8, types[channels], 0, orientation);
	free(rows);
	return file;
}

// A scan for the mean, and one for each of n coefficients.
static void set_scans(struct jpeg_compress_struct *jpeg, jpeg_scan_info *scans, int n)
{
	scans[0] = (jpeg_scan_info){ .comps_in_scan = 1 };
	for (int i = 1; i <= n; i++)
		scans[i] = (jpeg_scan_info){ .comps_in_scan = 1, .Ss = i, .Se = i < n ? i : 63 };
	jpeg->scan_info = scans;
	jpeg->num_scans = n + 1;
}

static void set_options(struct jpeg_compress_struct *jpeg, const struct pictures_jpeg *how, jpeg_scan_info *scans)
{
	static const J_COLOR_SPACE in[] = { JCS_GRAYSCALE, JCS_RGB, JCS_RGB, JCS_CMYK, JCS_CMYK },
				   stored[] = { JCS_GRAYSCALE, JCS_YCbCr, JCS_RGB, JCS_CMYK, JCS_YCCK };
	static const int channels[] = { 1, 3, 3, 4, 4 };
	jpeg->in_color_space = in[how->colours];
	jpeg->input_components = channels[how->colours];
	jpeg_set_defaults(jpeg);
	jpeg_set_colorspace(jpeg, stored[how->colours]);
	jpeg_set_quality(jpeg, how->quality, TRUE);
	for (int c = 0; c < jpeg->num_components; c++)
		jpeg->comp_info[c].h_samp_factor = jpeg->comp_info[c].v_samp_factor =
			how->halved_chroma && (c == 0 || c == 3) ? 2 : 1;
	if (how->without_adobe)
		jpeg->write_Adobe_marker = FALSE;
	if (how->progressive)
		jpeg_simple_progression(jpeg);
	if (how->ac_scans)
		set_scans(jpeg, scans, how->ac_scans);
}

struct file pictures_jpeg(const uint8_t *samples, int width, int height, const struct pictures_jpeg *how)
{
	struct jpeg_compress_struct jpeg;
	struct jpeg_error_mgr errors; // its errors end the program
	jpeg_scan_info scans[64];
	unsigned char *bytes = NULL;
	unsigned long n = 0;
	jpeg.err = jpeg_std_error(&errors);
	jpeg_create_compress(&jpeg);
	jpeg_mem_dest(&jpeg, &bytes, &n);
	jpeg.image_width = (JDIMENSION)width;
	jpeg.image_height = (JDIMENSION)height;
	set_options(&jpeg, how, scans);
	jpeg_start_compress(&jpeg, TRUE);
	if (how->orientation) {
		uint8_t exif[32] = "Exif";
		jpeg_write_marker(&jpeg, JPEG_APP0 + 1, exif, (unsigned)(6 + pictures_put_exif(exif + 6, how->orientation)));
	}
	while (jpeg.next_scanline < jpeg.image_height) {
		JSAMPROW row =
			(JSAMPROW)(uintptr_t)(samples + (size_t)jpeg.next_scanline * (size_t)(width * jpeg.input_components));
		jpeg_write_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	struct file file = { take(n), n }; // of its exact size, for the sanitizer
	memcpy(file.bytes, bytes, n);
	free(bytes);
	return file;
}

static size_t put_riff(uint8_t *to, const char *name, const void *data, size_t n)
{
	memcpy(to, name, 4);
	put_little(to + 4, n, 4);
	memcpy(to + 8, data, n);
	if (n % 2)
		to[8 + n] = 0;
	return 8 + n + n % 2;
}

// From the simple form of a file to the extended one: RIFF, VP8X with its flags and sizes, the picture, EXIF.
static struct file with_exif(const uint8_t *webp, size_t n, int width, int height, int orientation)
{
	uint8_t *to = take(n + 100), vp8x[10] = { 8 | 16 }, exif[26]; // EXIF, and maybe alpha
	size_t at = 12;
	put_little(vp8x + 4, (size_t)width - 1, 3);
	put_little(vp8x + 7, (size_t)height - 1, 3);
	memcpy(to, webp, 12);
	at += put_riff(to + at, "VP8X", vp8x, sizeof vp8x);
	memcpy(to + at, webp + 12, n - 12);
	at += n - 12;
	at += put_riff(to + at, "EXIF", exif, pictures_put_exif(exif, orientation));
	put_little(to + 4, at - 8, 4);
	return (struct file){ to, at };
}

struct file pictures_webp(const uint8_t *rgba, int width, int height, bool lossless, int orientation)
{
	uint8_t *bytes;
	size_t n = lossless ? WebPEncodeLosslessRGBA(rgba, width, height, 4 * width, &bytes)
			    : WebPEncodeRGBA(rgba, width, height, 4 * width, 95, &bytes);
	if (!n)
		abort();
	struct file file;
	if (orientation) {
		file = with_exif(bytes, n, width, height, orientation);
	} else {
		file = (struct file){ take(n), n };
		memcpy(file.bytes, bytes, n);
	}
	WebPFree(bytes);
	return file;
}

void pictures_damage(struct file *file, size_t n_cuts, void (*cut)(const uint8_t *bytes, size_t n),
		     void (*flipped)(const uint8_t *bytes, size_t n))
{
	for (size_t n = 0; n < n_cuts; n++) {
		uint8_t *exact = malloc(n + !n);
		memcpy(exact, file->bytes, n);
		cut(exact, n);
		free(exact);
	}
	for (size_t i = 0; i < 8 * file->n; i++) {
		file->bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		flipped(file->bytes, file->n);
		file->bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}
