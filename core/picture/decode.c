#include "core/picture/decode.h"

#include "core/picture/jpeg.h"
#include "core/picture/png.h"
#include "core/picture/webp.h"

#include <string.h>

// Bytes bound the time, too: a file may hold much that is no pixel.
enum { TINY_PIXELS = 28 * 28, SMALL_PIXELS = 1 << 17, SMALL_WHOLE_PIXELS = 1 << 14, SMALL_BYTES = 1 << 16 };

// What a decoder takes: for each pixel that must be held whole (jpeg.c; WebP takes less), for each that is looked at (samples, sums and
// the result), and beside both.
enum { WHOLE_PIXEL_BYTES = 8, LOOKED_AT_PIXEL_BYTES = 20, OTHER_BYTES = 16 << 20 };

// What people send instead. `at` is the place of the magic bytes; hint: how to convert.
static const struct other {
	size_t at;
	const char *magic, *name, *hint;
} others[] = {
	{ 0, "GIF8", "a GIF", "convert 'FILE.gif[0]' FILE.png" },
	{ 0, "BM", "a BMP", "convert FILE.bmp FILE.png" },
	{ 0, "II*", "a TIFF", "convert FILE.tif FILE.png" },
	{ 0, "II+", "a TIFF", "convert FILE.tif FILE.png" },
	{ 0, "MM", "a TIFF", "convert FILE.tif FILE.png" },
	{ 4, "ftypheic", "a HEIC", "heif-convert FILE.heic FILE.jpg" },
	{ 4, "ftypheix", "a HEIC", "heif-convert FILE.heic FILE.jpg" },
	{ 4, "ftyphev", "a HEIC", "heif-convert FILE.heic FILE.jpg" },
	{ 4, "ftypheim", "a HEIC", "heif-convert FILE.heic FILE.jpg" },
	{ 4, "ftypheis", "a HEIC", "heif-convert FILE.heic FILE.jpg" },
	{ 4, "ftypmif1", "a HEIF", "heif-convert FILE.heif FILE.jpg" },
	{ 4, "ftypmsf1", "a HEIF", "heif-convert FILE.heif FILE.jpg" },
	{ 4, "ftypavi", "an AVIF", "avifdec FILE.avif FILE.png" },
	{ 4, "ftyp", "a film", NULL },
	{ 0, "%PDF", "a PDF", "pdftoppm -png -singlefile FILE.pdf FILE" },
	{ 0, "<svg", "an SVG", "rsvg-convert -o FILE.png FILE.svg" },
	{ 0, "\xff\x0a", "a JPEG XL", "djxl FILE.jxl FILE.png" },
	{ 4, "JXL ", "a JPEG XL", "djxl FILE.jxl FILE.png" },
	{ 4, "jP  ", "a JPEG 2000", "convert FILE.jp2 FILE.png" },
	{ 0, "8BPS", "a Photoshop file", "convert 'FILE.psd[0]' FILE.png" },
	{ 0, "P1", "a PBM", "convert FILE.pbm FILE.png" },
	{ 0, "P2", "a PGM", "convert FILE.pgm FILE.png" },
	{ 0, "P3", "a PPM", "convert FILE.ppm FILE.png" },
	{ 0, "P4", "a PBM", "convert FILE.pbm FILE.png" },
	{ 0, "P5", "a PGM", "convert FILE.pgm FILE.png" },
	{ 0, "P6", "a PPM", "convert FILE.ppm FILE.png" },
	{ 0, "PK\3\4", "a ZIP", NULL },
	{ 0, "\x1f\x8b", "compressed by gzip", NULL },
};

// Text before an <svg> may be long: a declaration, comments, a document type.
static bool is_svg(const char *text, size_t n)
{
	enum { LOOK_AT = 1024 };
	return n > 1 && text[0] == '<' && memmem(text, n < LOOK_AT ? n : LOOK_AT, "<svg", 4);
}

static const struct other *find_other(const char *bytes, size_t n)
{
	static const struct other svg = { 0, "<svg", "an SVG", "rsvg-convert -o FILE.png FILE.svg" };
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		size_t n_magic = strlen(others[i].magic);
		if (n >= others[i].at + n_magic && memcmp(bytes + others[i].at, others[i].magic, n_magic) == 0)
			return &others[i];
	}
	return is_svg(bytes, n) ? &svg : NULL;
}

static enum picture_result refuse(const void *bytes, size_t n, struct err *e)
{
	const struct other *other = find_other(bytes, n);
	if (!other)
		err_set(e, "the picture is none: its first bytes are not those of a " DECODE_FORMATS);
	else if (other->hint)
		err_set(e, "the picture is %s: convert it to " DECODE_FORMATS ", as with: %s", other->name, other->hint);
	else
		err_set(e, "the picture is %s: send a " DECODE_FORMATS, other->name);
	return PICTURE_UNKNOWN;
}

enum picture_result picture_decode(const void *bytes, size_t n, const struct picture_limits *limits, struct picture *picture,
				   struct err *e)
{
	switch (picture_format(bytes, n)) {
	case PICTURE_PNG:
		return png_decode(bytes, n, limits, picture, e);
	case PICTURE_JPEG:
		return jpeg_decode(bytes, n, limits, picture, e);
	case PICTURE_WEBP:
		return webp_decode(bytes, n, limits, picture, e);
	case PICTURE_NO_FORMAT:
		break;
	}
	return refuse(bytes, n, e);
}

bool picture_is_known(const void *bytes, size_t n)
{
	return picture_format(bytes, n) != PICTURE_NO_FORMAT;
}

bool picture_is_other(const void *bytes, size_t n)
{
	return !picture_is_known(bytes, n) && find_other(bytes, n);
}

uint64_t picture_n_pixels(const void *bytes, size_t n)
{
	struct picture_header h = picture_read_header(bytes, n);
	return (uint64_t)h.width * h.height;
}

enum picture_cost picture_cost(const void *bytes, size_t n)
{
	struct picture_header h = picture_read_header(bytes, n);
	uint64_t n_pixels = (uint64_t)h.width * h.height, small = h.is_whole || h.is_interlaced ? SMALL_WHOLE_PIXELS : SMALL_PIXELS;
	if (n > SMALL_BYTES || n_pixels > small)
		return PICTURE_COSTLY;
	return n_pixels <= TINY_PIXELS ? PICTURE_TINY : PICTURE_SMALL;
}

static uint64_t memory_of(uint64_t n_pixels, bool is_whole)
{
	uint64_t looked_at = n_pixels < PICTURE_LOOKED_AT ? n_pixels : PICTURE_LOOKED_AT;
	return looked_at * LOOKED_AT_PIXEL_BYTES + (is_whole ? n_pixels * WHOLE_PIXEL_BYTES : 0) + OTHER_BYTES;
}

uint64_t picture_memory(const void *bytes, size_t n, const struct picture_limits *limits)
{
	struct picture_header h = picture_read_header(bytes, n);
	uint64_t n_pixels = (uint64_t)h.width * h.height, max = h.is_whole ? limits->max_whole_pixels : limits->max_pixels;
	return n_pixels <= max && picture_cost(bytes, n) == PICTURE_COSTLY ? memory_of(n_pixels, h.is_whole) : 0;
}

uint64_t picture_memory_at_most(const struct picture_limits *limits)
{
	return memory_of(limits->max_whole_pixels, true);
}
