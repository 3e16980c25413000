// A picture, from its bytes to a digit: as it is, and with the chunks' checksums mended, without which hardly any change
// would come past them.
#include "core/picture/header.h"
#include "core/picture/plain_png.h"
#include "core/picture/candidates.h"
#include "core/picture/png.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static enum picture_result decode(const uint8_t *bytes, size_t n, size_t looked_at, struct picture *p)
{
	struct picture_limits limits = PICTURE_LIMITS;
	limits.max_pixels = 1 << 20;
	limits.looked_at = looked_at;
	struct err e = { .msg = "" };
	*p = (struct picture){ 0 };
	enum picture_result result = png_decode(bytes, n, &limits, p, &e);
	if (result == PICTURE_OK) {
		if (p->width < 1 || p->height < 1 || (size_t)p->width * (size_t)p->height > looked_at || !p->cb != !p->cr)
			abort();
	} else if (e.msg[0] == '\0' || p->luma) {
		abort();
	}
	return result;
}

static void read_picture(const uint8_t *bytes, size_t n)
{
	struct picture p;
	if (picture_format(bytes, n) != PICTURE_PNG)
		return;
	decode(bytes, n, 1000, &p);
	picture_free(&p);
	if (decode(bytes, n, 1 << 20, &p) != PICTURE_OK)
		return;
	struct candidates c;
	struct err e;
	if (candidates_find(&(struct image){ p.width, p.height, p.luma }, &c, &e) || c.n < 0 || c.n > CANDIDATES_MAX)
		abort();
	for (int i = 0; i < c.n; i++) {
		const struct candidate *a = &c.at[i];
		if (a->left < 0 || a->top < 0 || a->right > p.width || a->bottom > p.height || a->left >= a->right ||
		    a->top >= a->bottom)
			abort();
	}
	picture_free(&p);
}

// What is read as a plain picture is to be what libpng makes of it, if that takes it: with a text in the file, which is not plain.
static void compare_with_libpng(const uint8_t *bytes, size_t n)
{
	enum { MAX_PIXELS = 1 << 16, AT = 8 + 12 + 13 };
	static const uint8_t text[] = "\0\0\0\3tEXta\0b\xdc\x49\xa2\x3b";
	struct plain_png plain;
	if (!plain_png_read(bytes, n, MAX_PIXELS, &plain))
		return;
	free(plain.samples);
	uint8_t *texted = malloc(n + sizeof text);
	memcpy(texted, bytes, AT);
	memcpy(texted + AT, text, sizeof text - 1);
	memcpy(texted + AT + sizeof text - 1, bytes + AT, n - AT);
	struct picture quick, slow;
	if (plain_png_read(texted, n + sizeof text - 1, MAX_PIXELS, &plain) || decode(bytes, n, MAX_PIXELS, &quick) != PICTURE_OK)
		abort();
	if (decode(texted, n + sizeof text - 1, MAX_PIXELS, &slow) == PICTURE_OK) {
		if (!quick.cb != !slow.cb ||
		    memcmp(quick.luma, slow.luma, (size_t)quick.width * (size_t)quick.height * (quick.cb ? 3 : 1)) != 0)
			abort();
		picture_free(&slow);
	}
	picture_free(&quick);
	free(texted);
}

static size_t get_u32(const uint8_t *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

// Of each chunk that is there as a whole: length, type, data, CRC of type and data.
static void mend_checksums(uint8_t *bytes, size_t n)
{
	size_t at = 8;
	while (at + 12 <= n && get_u32(bytes + at) <= n - at - 12) {
		size_t length = get_u32(bytes + at);
		unsigned long crc = crc32(0, bytes + at + 4, (unsigned)length + 4);
		at += 8 + length;
		for (int i = 0; i < 4; i++)
			bytes[at++] = (uint8_t)(crc >> (24 - 8 * i));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	read_picture(bytes, n);
	uint8_t *copy = malloc(n + !n);
	memcpy(copy, bytes, n);
	mend_checksums(copy, n);
	read_picture(copy, n);
	compare_with_libpng(copy, n);
	free(copy);
	return 0;
}
