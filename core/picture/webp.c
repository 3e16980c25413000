// libwebp decodes what it has been given so far; here the file is given to it in slices, and the deadline is checked between them.
#include "core/picture/webp.h"

#include "core/picture/colour.h"
#include "core/picture/exif.h"
#include "core/picture/header.h"
#include "core/picture/reduce.h"

#include <webp/decode.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { SLICES = 64, LEAST_SLICE = 256, PADDING = 1 };

static uint32_t read_u32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return le32toh(v);
}

// A RIFF: "RIFF", a length, "WEBP", then chunks of a name, a length and data, padded to an even length.
static int find_orientation(const uint8_t *bytes, size_t n)
{
	for (size_t at = 12; at + 8 <= n;) {
		size_t length = read_u32(bytes + at + 4);
		if (length > n - at - 8)
			break;
		if (memcmp(bytes + at, "EXIF", 4) == 0)
			return exif_orientation(bytes + at + 8, length);
		at += 8 + length + (length & 1);
	}
	return 1;
}

static enum picture_result fail(VP8StatusCode status, struct err *e)
{
	if (status == VP8_STATUS_OUT_OF_MEMORY) {
		err_set(e, "no memory for this WebP");
		return PICTURE_FAILED;
	}
	if (status == VP8_STATUS_SUSPENDED || status == VP8_STATUS_NOT_ENOUGH_DATA)
		err_set(e, "damaged WebP: it ends too early");
	else if (status == VP8_STATUS_UNSUPPORTED_FEATURE)
		err_set(e, "damaged WebP: it needs a feature that is not known");
	else
		err_set(e, "damaged WebP: its data are not a WebP's");
	return PICTURE_DAMAGED;
}

static enum picture_result decode(const uint8_t *bytes, size_t n, const struct picture_limits *limits, WebPDecoderConfig *config,
				  struct err *e)
{
	WebPIDecoder *decoder = WebPIDecode(NULL, 0, config);
	VP8StatusCode status = decoder ? VP8_STATUS_SUSPENDED : VP8_STATUS_OUT_OF_MEMORY;
	size_t slice = n / SLICES + LEAST_SLICE;
	bool late = false;
	for (size_t given = 0; status == VP8_STATUS_SUSPENDED && given < n && !late;) {
		given = n - given > slice ? given + slice : n;
		status = WebPIUpdate(decoder, bytes, given);
		late = picture_is_late(limits, e);
	}
	WebPIDelete(decoder);
	return late ? PICTURE_LATE : status == VP8_STATUS_OK ? PICTURE_OK : fail(status, e);
}

// pixels: (n_rows, n_columns, 4 or 3), with or without alpha
static void add_rows(struct reduce *r, const uint8_t *pixels)
{
	size_t n = (size_t)r->width, step = r->row[REDUCE_ALPHA] ? 4 : 3;
	for (int y = 0; y < r->height; y++, pixels += n * step) {
		colour_split(pixels, step, n, &colour_bt601, r->row[REDUCE_LUMA], r->row[REDUCE_CB], r->row[REDUCE_CR]);
		for (size_t x = 0; step == 4 && x < n; x++)
			r->row[REDUCE_ALPHA][x] = pixels[4 * x + 3];
		reduce_add(r, 0, y, 1, r->width);
	}
}

static enum picture_result make_picture(const uint8_t *pixels, int width, int height, bool has_alpha, int orientation,
					struct picture *picture, struct err *e)
{
	struct reduce reduce = { 0 };
	int status = reduce_init(&reduce, width, height, (size_t)width * (size_t)height, true, has_alpha, e);
	if (status == 0) {
		add_rows(&reduce, pixels);
		status = reduce_finish(&reduce, orientation, picture, e);
	}
	reduce_fini(&reduce);
	return status ? PICTURE_FAILED : PICTURE_OK;
}

enum picture_result webp_decode(const uint8_t *bytes, size_t n, const struct picture_limits *limits, struct picture *picture,
				struct err *e)
{
	WebPDecoderConfig config;
	if (picture_format(bytes, n) != PICTURE_WEBP) {
		err_set(e, "not a WebP: its first bytes are not a WebP's");
		return PICTURE_UNKNOWN;
	}
	if (!WebPInitDecoderConfig(&config)) {
		err_set(e, "libwebp is not the one that lenet was built for");
		return PICTURE_FAILED;
	}
	VP8StatusCode status = WebPGetFeatures(bytes, n, &config.input);
	if (status == VP8_STATUS_OK && read_u32(bytes + 4) > n - 8 + PADDING) // what is cut off may be the orientation
		status = VP8_STATUS_NOT_ENOUGH_DATA;
	if (status != VP8_STATUS_OK)
		return fail(status, e);
	int width = config.input.width, height = config.input.height, alpha = config.input.has_alpha;
	if (config.input.has_animation) {
		err_set(e, "the picture is an animated WebP: save one of its frames, as with: webpmux -get frame 1 FILE.webp -o "
			   "ONE.webp");
		return PICTURE_UNKNOWN;
	}
	enum picture_result result = picture_check_size((uint32_t)width, (uint32_t)height, "a WebP", limits, e);
	if (result != PICTURE_OK)
		return result;

	int factor = reduce_factor(width, height, limits->looked_at);
	int columns = (width + factor - 1) / factor, rows = (height + factor - 1) / factor;
	size_t stride = (size_t)columns * (alpha ? 4 : 3), size = stride * (size_t)rows;
	uint8_t *pixels = malloc(size);
	if (!pixels)
		return fail(VP8_STATUS_OUT_OF_MEMORY, e);
	config.options.no_fancy_upsampling = 1;
	config.options.use_scaling = factor > 1;
	config.options.scaled_width = columns;
	config.options.scaled_height = rows;
	config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
	config.output.is_external_memory = 1;
	config.output.u.RGBA = (WebPRGBABuffer){ pixels, (int)stride, size };
	result = decode(bytes, n, limits, &config, e);
	int orientation = find_orientation(bytes, n);
	if (result == PICTURE_OK)
		result = make_picture(pixels, columns, rows, alpha, orientation, picture, e);
	free(pixels);
	if (result == PICTURE_OK) {
		picture->sent_width = orientation > 4 ? height : width;
		picture->sent_height = orientation > 4 ? width : height;
	}
	return result;
}
