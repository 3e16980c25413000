// The file is a signature, IHDR, IDATs and IEND (PNG specification, third edition, sections 5 and 10 to 12). A chunk is a length, a type,
// data and the CRC of type and data. Inflated, a row is a byte for the filter and the filtered samples.
#include "core/picture/plain_png.h"

#include "core/bytes.h"

#include <libdeflate.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNATURE = 8, AROUND = 12, IHDR = 13 };

// The data of the chunk at *at, which moves behind it; NULL: there is none, or not of this type, or it is damaged.
static const uint8_t *read_chunk(const uint8_t **at, const uint8_t *end, const char *type, size_t *n)
{
	const uint8_t *chunk = *at;
	if (end - chunk < AROUND)
		return NULL;
	size_t length = bytes_u32_be(chunk);
	if (length > (size_t)(end - chunk) - AROUND || memcmp(chunk + 4, type, 4) != 0 ||
	    libdeflate_crc32(0, chunk + 4, length + 4) != bytes_u32_be(chunk + 8 + length))
		return NULL;
	*at = chunk + AROUND + length;
	*n = length;
	return chunk + 8;
}

// A thread keeps its decompressor: a new one would begin with the tables of deflate's fixed codes, which is most of the work for a
// small picture.
static pthread_key_t key;
static bool has_key;

static void free_decompressor(void *d)
{
	libdeflate_free_decompressor(d);
}

static void make_key(void)
{
	has_key = pthread_key_create(&key, free_decompressor) == 0;
}

static struct libdeflate_decompressor *own_decompressor(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_key);
	struct libdeflate_decompressor *d = has_key ? pthread_getspecific(key) : NULL;
	if (d || !has_key)
		return d;
	d = libdeflate_alloc_decompressor();
	if (d && pthread_setspecific(key, d)) {
		libdeflate_free_decompressor(d);
		return NULL;
	}
	return d;
}

// Whether a zlib stream is all of `in` and has exactly n_out bytes.
static bool inflate_all(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out)
{
	size_t n_read;
	struct libdeflate_decompressor *d = own_decompressor();
	return d && libdeflate_zlib_decompress_ex(d, in, n_in, out, n_out, &n_read, NULL) == LIBDEFLATE_SUCCESS && n_read == n_in;
}

static uint8_t paeth(int left, int up, int corner)
{
	int by_left = abs(up - corner), by_up = abs(left - corner), by_corner = abs(left + up - 2 * corner);
	return (uint8_t)(by_left <= by_up && by_left <= by_corner ? left : by_up <= by_corner ? up : corner);
}

// Undoes a row's filter in place: n bytes, `pixel` a pixel. up: the row above, zeros above the first. Section 9.2. Inlined, so that
// `pixel` is a constant.
__attribute__((always_inline)) static inline bool unfilter(int filter, uint8_t *restrict row, const uint8_t *restrict up, size_t n,
							   size_t pixel)
{
	switch (filter) {
	case 0:
		return true;
	case 1:
		for (size_t i = pixel; i < n; i++)
			row[i] = (uint8_t)(row[i] + row[i - pixel]);
		return true;
	case 2:
		for (size_t i = 0; i < n; i++)
			row[i] = (uint8_t)(row[i] + up[i]);
		return true;
	case 3:
		for (size_t i = 0; i < pixel; i++)
			row[i] = (uint8_t)(row[i] + up[i] / 2);
		for (size_t i = pixel; i < n; i++)
			row[i] = (uint8_t)(row[i] + (row[i - pixel] + up[i]) / 2);
		return true;
	case 4:
		for (size_t i = 0; i < pixel; i++)
			row[i] = (uint8_t)(row[i] + up[i]);
		for (size_t i = pixel; i < n; i++)
			row[i] = (uint8_t)(row[i] + paeth(row[i - pixel], up[i], up[i - pixel]));
		return true;
	}
	return false;
}

static bool unfilter_row(int filter, uint8_t *row, const uint8_t *up, size_t n, size_t pixel)
{
	switch (pixel) {
	case 1:
		return unfilter(filter, row, up, n, 1);
	case 2:
		return unfilter(filter, row, up, n, 2);
	case 3:
		return unfilter(filter, row, up, n, 3);
	}
	return unfilter(filter, row, up, n, 4);
}

// samples: (height, 1 + row) becomes (height, row). The rows move up once their filter is undone: the one above then lies before them.
static bool unfilter_all(uint8_t *samples, const uint8_t *zeros, size_t height, size_t row, size_t pixel)
{
	for (size_t y = 0; y < height; y++) {
		uint8_t *in = samples + y * (row + 1), *out = samples + y * row;
		if (!unfilter_row(in[0], in + 1, y ? out - row : zeros, row, pixel))
			return false;
		memmove(out, in + 1, row);
	}
	return true;
}

// The data of the IDATs, of which many programs write one for every few thousand bytes: those of the only one, or a copy of all, which
// *copy then owns.
static const uint8_t *join_data(const uint8_t **at, const uint8_t *end, size_t *n, uint8_t **copy)
{
	size_t n_more;
	const uint8_t *first = read_chunk(at, end, "IDAT", n), *more;
	while (first && (more = read_chunk(at, end, "IDAT", &n_more))) {
		if (!*copy) {
			*copy = malloc((size_t)(end - first));
			if (!*copy)
				return NULL;
			memcpy(*copy, first, *n);
		}
		memcpy(*copy + *n, more, n_more);
		*n += n_more;
	}
	return *copy ? *copy : first;
}

// (height, 1 + row) inflated, (height, row) and `row` zeros in the end.
static uint8_t *read_samples(const uint8_t *data, size_t n, size_t height, size_t row, size_t pixel)
{
	size_t inflated = height * (row + 1);
	uint8_t *samples = malloc(inflated + row);
	if (!samples)
		return NULL;
	memset(samples + inflated, 0, row);
	if (inflate_all(data, n, samples, inflated) && unfilter_all(samples, samples + inflated, height, row, pixel))
		return samples;
	free(samples);
	return NULL;
}

bool plain_png_read(const uint8_t *bytes, size_t n, size_t max_pixels, struct plain_png *png)
{
	static const int channels_of[] = { [0] = 1, [2] = 3, [4] = 2, [6] = 4 };
	const uint8_t *at = bytes + SIGNATURE, *end = bytes + n;
	size_t n_header, n_data, n_end;
	if (n < SIGNATURE || n > INT32_MAX || memcmp(bytes, "\x89PNG\r\n\x1a\n", SIGNATURE) != 0)
		return false;
	const uint8_t *header = read_chunk(&at, end, "IHDR", &n_header);
	if (!header || n_header != IHDR)
		return false;
	uint32_t width = bytes_u32_be(header), height = bytes_u32_be(header + 4);
	int type = header[9], channels = type <= 6 ? channels_of[type] : 0;
	bool plain = header[8] == 8 && channels && header[10] == 0 && header[11] == 0 && header[12] == 0;
	if (!plain || width == 0 || width > INT32_MAX || height == 0 || height > INT32_MAX || (uint64_t)width * height > max_pixels)
		return false;
	uint8_t *copy = NULL, *samples = NULL;
	const uint8_t *data = join_data(&at, end, &n_data, &copy);
	if (data && read_chunk(&at, end, "IEND", &n_end) && n_end == 0)
		samples = read_samples(data, n_data, height, width * (size_t)channels, (size_t)channels);
	free(copy);
	if (!samples)
		return false;
	*png = (struct plain_png){ width, height, channels, samples };
	return true;
}
