#include "core/picture/decode.h"

#include "core/rng.h"
#include "tests/unit/pictures.h"
#include "tests/unit/test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct picture_limits plenty = PICTURE_LIMITS;

#define BYTES(text) text, sizeof(text) - 1

TEST(decode_other_formats_are_named_and_say_how_to_convert)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *says;
	} others[] = {
		{ BYTES("GIF89a......"), "a GIF: convert it to PNG, JPEG or WebP, as with: convert" },
		{ BYTES("BM.........."), "a BMP: " },
		{ BYTES("II*\0........"), "a TIFF: " },
		{ BYTES("MM\0*........"), "a TIFF: " },
		{ BYTES("\0\0\0\x18"
			"ftypheic\0\0\0\0"),
		  "a HEIC: convert it to PNG, JPEG or WebP, as with: heif-convert" },
		{ BYTES("\0\0\0\x18"
			"ftypmif1\0\0\0\0"),
		  "a HEIF: " },
		{ BYTES("\0\0\0\x18"
			"ftypavif\0\0\0\0"),
		  "an AVIF: " },
		{ BYTES("\0\0\0\x18"
			"ftypisom\0\0\0\0"),
		  "a film: send a PNG, JPEG or WebP" },
		{ BYTES("%PDF-1.7"), "a PDF: " },
		{ BYTES("<svg xmlns"), "an SVG: " },
		{ BYTES("<?xml version=\"1.0\"?>\n<!-- by hand -->\n<svg xmlns"), "an SVG: " },
		{ BYTES("\0\0\0\x0cJXL \r\n\x87\n"), "a JPEG XL: " },
		{ BYTES("\0\0\0\x0cjP  \r\n\x87\n"), "a JPEG 2000: " },
		{ BYTES("RIFF\0\0\0\0WAVE"), "none: its first bytes are not those of a PNG, JPEG or WebP" },
		{ BYTES("<html>"), "none" },
		{ BYTES(""), "none" },
		{ BYTES("\x89PNG\r\n\x1a"), "none" },
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct picture p = { 0 };
		struct err e = { .msg = "" };
		CHECK(picture_decode(others[i].bytes, others[i].n, &plenty, &p, &e) == PICTURE_UNKNOWN && !p.luma);
		CHECK_MSG(strstr(e.msg, others[i].says), "\"%s\" has no \"%s\"", e.msg, others[i].says);
		CHECK(!picture_is_known(others[i].bytes, others[i].n) && picture_n_pixels(others[i].bytes, others[i].n) == 0);
	}
}

TEST(decode_sizes_and_costs_are_in_the_headers)
{
	enum { LARGE = 520 };
	static uint8_t noise[1 << 17]; // behind the rows of a picture in its compressed stream
	uint8_t *samples = calloc(LARGE * LARGE, 4);
	struct rng rng;
	rng_init(&rng, 1);
	for (size_t i = 29 * 28; i < sizeof noise; i++)
		noise[i] = (uint8_t)rng_next(&rng);
	struct file digit = pictures_png(samples, 28, 28, 1, 0),
		    endless = pictures_png_of_rows(noise, sizeof noise, 28, 28, 8, 0, 0);
	struct file png = pictures_png(samples, LARGE, 100, 1, 0), large_png = pictures_png(samples, LARGE, LARGE, 1, 0);
	struct file lossy = pictures_webp(samples, 100, 150, false, 0), lossless = pictures_webp(samples, 300, 200, true, 0),
		    extended = pictures_webp(samples, LARGE, LARGE, true, 3);
	struct file jpeg = pictures_jpeg(samples, 300, 400, &(struct pictures_jpeg){ JPEG_GREY, 80, .orientation = 6 });
	struct file progressive = pictures_jpeg(samples, 300, 400, &(struct pictures_jpeg){ JPEG_YCC, 80, .progressive = true });
	const struct {
		const struct file *file;
		enum picture_format format;
		uint32_t width, height;
		enum picture_cost cost;
	} files[] = { { &digit, PICTURE_PNG, 28, 28, PICTURE_TINY },
		      { &endless, PICTURE_PNG, 28, 28, PICTURE_COSTLY },
		      { &png, PICTURE_PNG, LARGE, 100, PICTURE_SMALL },
		      { &large_png, PICTURE_PNG, LARGE, LARGE, PICTURE_COSTLY },
		      { &lossy, PICTURE_WEBP, 100, 150, PICTURE_SMALL },
		      { &lossless, PICTURE_WEBP, 300, 200, PICTURE_COSTLY },
		      { &extended, PICTURE_WEBP, LARGE, LARGE, PICTURE_COSTLY },
		      { &jpeg, PICTURE_JPEG, 300, 400, PICTURE_SMALL },
		      { &progressive, PICTURE_JPEG, 300, 400, PICTURE_COSTLY } };
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		const struct file *f = files[i].file;
		struct picture_header h = picture_read_header(f->bytes, f->n);
		CHECK_MSG(h.format == files[i].format && h.width == files[i].width && h.height == files[i].height,
			  "file %zu: %u×%u", i, h.width, h.height);
		CHECK_MSG(picture_cost(f->bytes, f->n) == files[i].cost, "file %zu", i);
		uint64_t memory = picture_memory(f->bytes, f->n, &plenty);
		CHECK_MSG((memory > 0) == (files[i].cost == PICTURE_COSTLY) && memory <= picture_memory_at_most(&plenty),
			  "file %zu: %" PRIu64 " bytes", i, memory);
		CHECK(picture_is_known(f->bytes, f->n) && picture_n_pixels(f->bytes, f->n) == (uint64_t)h.width * h.height);
		struct picture p = { 0 };
		struct err e = { .msg = "" };
		CHECK_MSG(picture_decode(f->bytes, f->n, &plenty, &p, &e) == PICTURE_OK, "file %zu: %s", i, e.msg);
		picture_free(&p);
		for (size_t cut = 0; cut < f->n && cut < 200; cut++) { // whatever it says then, it stays within the bytes
			uint8_t *exact = malloc(cut + !cut);
			memcpy(exact, f->bytes, cut);
			picture_cost(exact, cut);
			free(exact);
		}
		free(f->bytes);
	}
	free(samples);
}
