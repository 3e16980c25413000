// A TIFF header: byte order, 42, the offset of the first directory: a count and entries of twelve bytes, namely tag, type, count and
// value. Only the first directory is looked at; the second is of the thumbnail.
#include "core/picture/exif.h"

#include <stdbool.h>
#include <string.h>

enum { HEADER = 8, ENTRY = 12, ORIENTATION = 274, SHORT = 3, LONG = 4 };

static uint32_t get(const uint8_t *p, int n_bytes, bool big)
{
	uint32_t v = 0;
	for (int i = 0; i < n_bytes; i++)
		v = v << 8 | p[big ? i : n_bytes - 1 - i];
	return v;
}

int exif_orientation(const uint8_t *tiff, size_t n)
{
	if (n >= 6 && memcmp(tiff, "Exif\0", 6) == 0) {
		tiff += 6;
		n -= 6;
	}
	if (n < HEADER || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0))
		return 1;
	bool big = tiff[0] == 'M';
	size_t at = get(tiff + 4, 4, big);
	if (at > n - 2)
		return 1;
	size_t n_entries = get(tiff + at, 2, big), n_there = (n - at - 2) / ENTRY;
	const uint8_t *entry = tiff + at + 2;
	for (size_t i = 0; i < n_entries && i < n_there; i++, entry += ENTRY) {
		uint32_t type = get(entry + 2, 2, big);
		if (get(entry, 2, big) != ORIENTATION || (type != SHORT && type != LONG) || get(entry + 4, 4, big) != 1)
			continue;
		uint32_t value = get(entry + 8, type == SHORT ? 2 : 4, big);
		return value >= 1 && value <= 8 ? (int)value : 1;
	}
	return 1;
}
