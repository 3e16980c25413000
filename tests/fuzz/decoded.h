// decoded: what every decoder owes, whatever the bytes.
#pragma once

#include "core/picture/decode.h"

#include <stdlib.h>

// Decodes to at most looked_at pixels. Aborts if the picture breaks its promises, or if there is neither a picture nor a message.
static inline void decode_checked(const uint8_t *bytes, size_t n, size_t looked_at)
{
	const struct picture_limits limits = { 1 << 20, 1 << 18, 8, looked_at, 0, NULL };
	struct picture p = { 0 };
	struct err e = { .msg = "" };
	if (picture_decode(bytes, n, &limits, &p, &e) != PICTURE_OK) {
		if (e.msg[0] == '\0' || p.luma)
			abort();
		return;
	}
	unsigned sum = 0;
	for (size_t i = 0, size = (size_t)p.width * (size_t)p.height * (p.cb ? 3 : 1); i < size; i++)
		sum += p.luma[i]; // all of it is there
	if (p.width < 1 || p.height < 1 || (size_t)p.width * (size_t)p.height > looked_at || !p.cb != !p.cr || sum > 3u * 255 << 20)
		abort();
	picture_free(&p);
}
