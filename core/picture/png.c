// The chunks are walked here first, with libdeflate's CRC, which is the quicker one; so a file that was cut off costs no decoding, and
// libpng sees only the chunks that it needs. It is fed by its push interface: that stops at the last row, where the other inflates a
// stream to its end, which may be a gigabyte of zeros away. An interlaced picture's passes come as they are stored, each pixel once.
//
// libpng reports errors by longjmp. All that changes between setjmp and a jump lives in a struct of the caller, so that no local
// variable's value is lost.
#include "core/picture/png.h"

#include "core/bytes.h"
#include "core/picture/colour.h"
#include "core/picture/exif.h"
#include "core/picture/header.h"
#include "core/picture/plain_png.h"
#include "core/picture/reduce.h"

#include <libdeflate.h>
#include <png.h>

#include <endian.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNATURE = 8, AROUND = 12, CRITICAL = 0x20, MAX_PLAIN_PIXELS = 1 << 20, MAX_WRITTEN_PIXELS = 1 << 26 };

struct reader {
	const uint8_t *bytes;
	size_t n; // to the end of IEND
	const struct picture_limits *limits;
	png_structp png;
	png_infop info;
	int channels, orientation;
	uint64_t n_left; // pixels to come
	struct reduce reduce;
	struct err *err;
	enum picture_result result;
};

static bool is_type(const uint8_t *chunk, const char *type)
{
	return memcmp(chunk + 4, type, 4) == 0;
}

// Whether the file is chunks as far as IEND, each with its checksum, those of the compressed stream together. Finds the end and the
// orientation.
static bool walk_chunks(struct reader *r)
{
	bool has_data = false, data_ended = false;
	for (size_t at = SIGNATURE; r->n - at >= AROUND;) {
		const uint8_t *chunk = r->bytes + at;
		size_t length = bytes_u32_be(chunk);
		if (length > r->n - at - AROUND)
			break;
		if (libdeflate_crc32(0, chunk + 4, length + 4) != bytes_u32_be(chunk + 8 + length)) {
			err_set(r->err, "damaged PNG: the checksum of a chunk is wrong, at byte %zu", at);
			return false;
		}
		at += AROUND + length;
		if (is_type(chunk, "IEND")) {
			r->n = at;
			return true;
		}
		bool is_data = is_type(chunk, "IDAT");
		if (is_data && data_ended) {
			err_set(r->err, "damaged PNG: another chunk stands between the data");
			return false;
		}
		data_ended = has_data && !is_data;
		has_data |= is_data;
		if (is_type(chunk, "eXIf"))
			r->orientation = exif_orientation(chunk + 8, length);
	}
	err_set(r->err, "damaged PNG: it ends too early");
	return false;
}

static void on_error(png_structp png, png_const_charp message)
{
	struct reader *r = png_get_error_ptr(png);
	err_set(r->err, "damaged PNG: %s", message);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
	(void)png;
	(void)message;
}

// Has asked libpng for 8-bit samples without palette; transparency becomes a channel.
static void on_info(png_structp png, png_infop info)
{
	struct reader *r = png_get_progressive_ptr(png);
	int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
	if (type == PNG_COLOR_TYPE_PALETTE || depth < 8 || png_get_valid(png, info, PNG_INFO_tRNS))
		png_set_expand(png);
	if (depth == 16)
		png_set_scale_16(png);
	png_read_update_info(png, info);
	r->channels = png_get_channels(png, info);
	int width = (int)png_get_image_width(png, info), height = (int)png_get_image_height(png, info);
	r->n_left = (uint64_t)width * (uint64_t)height;
	if (reduce_init(&r->reduce, width, height, r->limits->looked_at, r->channels > 2, r->channels % 2 == 0, r->err)) {
		r->result = PICTURE_FAILED;
		png_longjmp(png, 1);
	}
}

static void pick(const uint8_t *restrict in, size_t step, size_t n, uint8_t *restrict out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = in[step * i];
}

// Channels as PNG has them, grey or RGB, with or without alpha, go into rows of one channel each.
static void split_row(struct reduce *r, const uint8_t *samples, int channels, size_t n)
{
	if (channels == 1)
		memcpy(r->row[REDUCE_LUMA], samples, n);
	else if (channels == 2)
		pick(samples, 2, n, r->row[REDUCE_LUMA]);
	else
		colour_split(samples, (size_t)channels, n, &colour_rec709, r->row[REDUCE_LUMA], r->row[REDUCE_CB],
			     r->row[REDUCE_CR]);
	if (channels % 2 == 0)
		pick(samples + channels - 1, (size_t)channels, n, r->row[REDUCE_ALPHA]);
}

static void on_row(png_structp png, png_bytep samples, png_uint_32 y, int pass)
{
	struct reader *r = png_get_progressive_ptr(png);
	if (picture_is_late(r->limits, r->err)) {
		r->result = PICTURE_LATE;
		png_longjmp(png, 1);
	}
	int x = 0, row = (int)y, step = 1, n = r->reduce.width;
	if (png_get_interlace_type(png, r->info) == PNG_INTERLACE_ADAM7) {
		x = PNG_PASS_START_COL(pass);
		step = PNG_PASS_COL_OFFSET(pass);
		row = PNG_PASS_START_ROW(pass) + row * PNG_PASS_ROW_OFFSET(pass);
		n = (int)PNG_PASS_COLS(r->reduce.width, pass);
	}
	split_row(&r->reduce, samples, r->channels, (size_t)n);
	reduce_add(&r->reduce, x, row, step, n);
	r->n_left -= (uint64_t)n;
}

// The bytes stay as they are; libpng's declaration does not promise it.
static void feed(struct reader *r, const uint8_t *bytes, size_t n)
{
	png_process_data(r->png, r->info, (png_bytep)(uintptr_t)bytes, n);
}

// Until all pixels have come; n_left is that of an unread header before.
static void decode(struct reader *r)
{
	r->result = PICTURE_DAMAGED;
	if (setjmp(png_jmpbuf(r->png)))
		return;
	png_set_progressive_read_fn(r->png, r, on_info, on_row, NULL);
	png_set_crc_action(r->png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE); // they have been checked
	png_set_user_limits(r->png, PICTURE_MAX_SIDE, PICTURE_MAX_SIDE);
	feed(r, r->bytes, SIGNATURE);
	r->n_left = 1;
	for (size_t at = SIGNATURE, length; r->n_left > 0 && at < r->n; at += AROUND + length) {
		const uint8_t *chunk = r->bytes + at;
		length = bytes_u32_be(chunk);
		if (picture_is_late(r->limits, r->err)) {
			r->result = PICTURE_LATE;
			return;
		}
		if (!(chunk[4] & CRITICAL) || is_type(chunk, "tRNS"))
			feed(r, chunk, AROUND + length);
	}
	if (r->n_left > 0)
		err_set(r->err, "damaged PNG: not enough image data");
	else
		r->result = PICTURE_OK;
}

static enum picture_result finish(struct reduce *reduce, int orientation, struct picture *picture, struct err *e)
{
	int status = reduce_finish(reduce, orientation, picture, e);
	return status ? PICTURE_FAILED : PICTURE_OK;
}

// Browsers write a canvas as RGBA even if it is grey, and as opaque as it may be. Returns how many channels n such pixels need: 1, 2 or 4.
static int count_channels(const uint8_t *rgba, size_t n)
{
	uint32_t coloured = 0, opaque = UINT32_MAX;
	for (size_t i = 0; i < n; i++) {
		uint32_t pixel;
		memcpy(&pixel, rgba + 4 * i, sizeof pixel);
		pixel = le32toh(pixel);
		coloured |= pixel ^ pixel >> 8; // red and green in the lowest byte, green and blue in the next
		opaque &= pixel;
	}
	return coloured & 0xffff ? 4 : opaque >> 24 == 255 ? 1 : 2;
}

// Of an opaque grey picture; samples: (height, width, 4). Does the same as the general way, sooner.
static bool take_grey(const struct plain_png *png, struct picture *picture)
{
	int width = (int)png->width, height = (int)png->height;
	size_t n = (size_t)width * (size_t)height;
	uint8_t *luma = png->samples;
	if (png->channels != 1) {
		luma = malloc(n);
		if (!luma)
			return false;
		pick(png->samples, 4, n, luma);
		free(png->samples);
	}
	*picture = (struct picture){ width, height, width, height, luma, NULL, NULL };
	return true;
}

static enum picture_result take_plain(struct plain_png *png, size_t looked_at, struct picture *picture, struct err *e)
{
	int width = (int)png->width, height = (int)png->height;
	int needed = png->channels == 4 ? count_channels(png->samples, (size_t)width * (size_t)height) : png->channels;
	if (needed == 1 && take_grey(png, picture))
		return PICTURE_OK;
	struct reduce reduce = { 0 };
	enum picture_result result = PICTURE_FAILED;
	if (reduce_init(&reduce, width, height, looked_at, needed > 2, needed % 2 == 0, e) == 0) {
		size_t row = (size_t)width * (size_t)png->channels;
		for (int y = 0; y < height; y++) {
			const uint8_t *samples = png->samples + (size_t)y * row;
			if (needed == 2 && png->channels == 4) {
				pick(samples, 4, (size_t)width, reduce.row[REDUCE_LUMA]);
				pick(samples + 3, 4, (size_t)width, reduce.row[REDUCE_ALPHA]);
			} else {
				split_row(&reduce, samples, png->channels, (size_t)width);
			}
			reduce_add(&reduce, 0, y, 1, width);
		}
		result = finish(&reduce, 1, picture, e);
	}
	reduce_fini(&reduce);
	free(png->samples);
	return result;
}

static enum picture_result read_by_libpng(struct reader *r)
{
	if (!walk_chunks(r))
		return PICTURE_DAMAGED;
	r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, on_error, on_warning);
	r->info = r->png ? png_create_info_struct(r->png) : NULL;
	if (r->info) {
		decode(r);
	} else {
		err_set(r->err, "no memory to read a PNG");
		r->result = PICTURE_FAILED;
	}
	png_destroy_read_struct(&r->png, &r->info, NULL);
	return r->result;
}

enum picture_result png_decode(const uint8_t *bytes, size_t n, const struct picture_limits *limits, struct picture *picture,
			       struct err *e)
{
	struct picture_header header = picture_read_header(bytes, n);
	if (header.format != PICTURE_PNG) {
		err_set(e, "not a PNG: its first bytes are not a PNG's");
		return PICTURE_UNKNOWN;
	}
	enum picture_result result = picture_check_size(header.width, header.height, NULL, limits, e);
	if (result != PICTURE_OK)
		return result;
	struct plain_png plain;
	size_t max_plain = limits->looked_at < MAX_PLAIN_PIXELS ? limits->looked_at : MAX_PLAIN_PIXELS;
	if (plain_png_read(bytes, n, max_plain, &plain)) // quicker
		return take_plain(&plain, limits->looked_at, picture, e);
	struct reader r = { .bytes = bytes, .n = n, .limits = limits, .orientation = 1, .err = e };
	result = read_by_libpng(&r);
	if (result == PICTURE_OK)
		result = finish(&r.reduce, r.orientation, picture, e);
	reduce_fini(&r.reduce);
	return result;
}

int png_encode_palette(const struct image *image, uint8_t palette[256][3], bool quickly, uint8_t **bytes, size_t *n, struct err *e)
{
	if ((int64_t)image->width * image->height > MAX_WRITTEN_PIXELS)
		return err_set(e, "%d×%d pixels are more than a PNG is written for (%d)", image->width, image->height,
			       MAX_WRITTEN_PIXELS);
	png_image png = { .version = PNG_IMAGE_VERSION,
			  .format = palette ? PNG_FORMAT_RGB_COLORMAP : PNG_FORMAT_GRAY,
			  .flags = quickly ? PNG_IMAGE_FLAG_FAST : 0,
			  .colormap_entries = palette ? 256 : 0,
			  .width = (png_uint_32)image->width,
			  .height = (png_uint_32)image->height };
	size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
	uint8_t *file = malloc(size);
	if (!file)
		return err_set(e, "no memory for a PNG of %d×%d pixels", image->width, image->height);
	if (!png_image_write_to_memory(&png, file, &size, 0, image->pixels, 0, palette)) {
		free(file);
		return err_set(e, "the PNG could not be written: %s", png.message);
	}
	uint8_t *smaller = realloc(file, size);
	*bytes = smaller ? smaller : file;
	*n = size;
	return 0;
}

int png_encode(const struct image *image, uint8_t **bytes, size_t *n, struct err *e)
{
	return png_encode_palette(image, NULL, false, bytes, n, e);
}
