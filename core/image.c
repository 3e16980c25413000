// libpng's classic interface on bytes in memory. It turns every kind of picture into 8-bit samples, one to four a pixel,
// which are then made grey in place. Only IHDR, PLTE, tRNS, IDAT and IEND are looked at: all else (colour profiles, gamma,
// texts, some of them compressed) is skipped unread, so that it can cost neither time nor memory.
//
// libpng reports errors by longjmp. All that changes between setjmp and a jump lives in a struct of the caller, so that no
// local variable's value is lost.
#include "core/image.h"

#include "core/bytes.h"
#include "core/plain_png.h"

#include <png.h>

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WRITTEN_PIXELS = 1 << 26 };

void image_free(struct image *image)
{
	free(image->pixels);
	*image = (struct image){ 0 };
}

bool image_is_png(const void *bytes, size_t n)
{
	return n >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

// The first chunk is IHDR, which begins with the two.
uint64_t image_n_pixels(const void *bytes, size_t n)
{
	if (!image_is_png(bytes, n) || n < 16 + 8)
		return 0;
	const uint8_t *sides = (const uint8_t *)bytes + 16;
	return (uint64_t)bytes_u32_be(sides) * bytes_u32_be(sides + 4);
}

struct reader {
	png_structp png;
	png_infop info;
	const uint8_t *at, *end; // what has not been read
	size_t max_pixels;
	struct plain_png picture;
	struct err *err;
	enum image_result result; // of decode
};

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

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
	struct reader *r = png_get_io_ptr(png);
	if (n > (size_t)(r->end - r->at))
		png_error(png, "it ends too early");
	memcpy(to, r->at, n);
	r->at += n;
}

// Asks libpng for 8-bit samples without palette; transparency becomes a channel.
static void set_transforms(struct reader *r)
{
	int type = png_get_color_type(r->png, r->info), depth = png_get_bit_depth(r->png, r->info);
	if (type == PNG_COLOR_TYPE_PALETTE || depth < 8 || png_get_valid(r->png, r->info, PNG_INFO_tRNS))
		png_set_expand(r->png);
	if (depth == 16)
		png_set_scale_16(r->png);
}

static void decode(struct reader *r)
{
	struct plain_png *p = &r->picture;
	r->result = IMAGE_DAMAGED;
	if (setjmp(png_jmpbuf(r->png)))
		return;
	png_set_read_fn(r->png, r, read_bytes);
	png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
	png_set_crc_action(r->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT); // a damaged tRNS would be another picture
	png_set_user_limits(r->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); // max_pixels is the limit
	png_read_info(r->png, r->info);

	p->width = png_get_image_width(r->png, r->info);
	p->height = png_get_image_height(r->png, r->info);
	if ((uint64_t)p->width * p->height > r->max_pixels) {
		err_set(r->err, "%u×%u pixels are more than the limit of %zu: make the picture smaller", p->width, p->height,
			r->max_pixels);
		r->result = IMAGE_TOO_LARGE;
		return;
	}
	set_transforms(r);
	int passes = png_set_interlace_handling(r->png);
	png_read_update_info(r->png, r->info);
	p->channels = png_get_channels(r->png, r->info);
	size_t row_bytes = png_get_rowbytes(r->png, r->info);
	p->samples = malloc(row_bytes * p->height);
	if (!p->samples) {
		err_set(r->err, "no memory for %u×%u pixels", p->width, p->height);
		r->result = IMAGE_FAILED;
		return;
	}
	for (int pass = 0; pass < passes; pass++)
		for (size_t y = 0; y < p->height; y++)
			png_read_row(r->png, p->samples + y * row_bytes, NULL);
	png_read_end(r->png, NULL);
	r->result = IMAGE_OK;
}

// Rec. 709 in 16 bits; the weights' sum is 65536, so that white stays 255.
static uint8_t luminance(const uint8_t *rgb)
{
	return (uint8_t)((13933u * rgb[0] + 46871u * rgb[1] + 4732u * rgb[2] + 32768u) >> 16);
}

// Grey and alpha, two bytes a pixel, become grey on that one of black and white from which the visible parts differ more.
static void flatten(uint8_t *samples, size_t n)
{
	uint64_t light = 0, visible = 0;
	for (size_t i = 0; i < n; i++) {
		light += (uint64_t)samples[2 * i] * samples[2 * i + 1];
		visible += samples[2 * i + 1];
	}
	unsigned ground = 2 * light > 255 * visible ? 0 : 255;
	for (size_t i = 0; i < n; i++) {
		unsigned alpha = samples[2 * i + 1];
		samples[i] = (uint8_t)((samples[2 * i] * alpha + ground * (255 - alpha) + 127) / 255);
	}
}

// In place: no pixel is written before the samples at its place have been read.
static struct image make_grey(const struct plain_png *png)
{
	size_t n = (size_t)png->width * png->height;
	uint8_t *s = png->samples;
	if (png->channels == 3)
		for (size_t i = 0; i < n; i++)
			s[i] = luminance(s + 3 * i);
	if (png->channels == 4)
		for (size_t i = 0; i < n; i++) {
			uint8_t alpha = s[4 * i + 3];
			s[2 * i] = luminance(s + 4 * i);
			s[2 * i + 1] = alpha;
		}
	if (png->channels == 2 || png->channels == 4)
		flatten(s, n);
	uint8_t *smaller = png->channels > 1 ? realloc(s, n) : s;
	return (struct image){ (int)png->width, (int)png->height, smaller ? smaller : s };
}

enum image_result image_read_png(const void *bytes, size_t n, size_t max_pixels, struct image *image, struct err *e)
{
	if (!image_is_png(bytes, n)) {
		err_set(e, "not a PNG: its first bytes are not a PNG's");
		return IMAGE_NOT_PNG;
	}
	struct plain_png plain;
	if (plain_png_read(bytes, n, max_pixels, &plain)) { // quicker
		*image = make_grey(&plain);
		return IMAGE_OK;
	}
	struct reader r = {
		.at = bytes, .end = (const uint8_t *)bytes + n, .max_pixels = max_pixels, .err = e, .result = IMAGE_FAILED
	};
	r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
	r.info = r.png ? png_create_info_struct(r.png) : NULL;
	if (r.info)
		decode(&r);
	else
		err_set(e, "no memory to read a PNG");
	png_destroy_read_struct(&r.png, &r.info, NULL);
	if (r.result != IMAGE_OK) {
		free(r.picture.samples);
		return r.result;
	}
	*image = make_grey(&r.picture);
	return IMAGE_OK;
}

int image_write_png(const struct image *image, uint8_t **bytes, size_t *n, struct err *e)
{
	if ((int64_t)image->width * image->height > MAX_WRITTEN_PIXELS)
		return err_set(e, "%d×%d pixels are more than a PNG is written for (%d)", image->width, image->height,
			       MAX_WRITTEN_PIXELS);
	png_image png = { .version = PNG_IMAGE_VERSION,
			  .format = PNG_FORMAT_GRAY,
			  .width = (png_uint_32)image->width,
			  .height = (png_uint_32)image->height };
	size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
	uint8_t *file = malloc(size);
	if (!file)
		return err_set(e, "no memory for a PNG of %d×%d pixels", image->width, image->height);
	if (!png_image_write_to_memory(&png, file, &size, 0, image->pixels, 0, NULL)) {
		free(file);
		return err_set(e, "the PNG could not be written: %s", png.message);
	}
	uint8_t *smaller = realloc(file, size);
	*bytes = smaller ? smaller : file;
	*n = size;
	return 0;
}
