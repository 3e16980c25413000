// The largest of 32 values in a row is the larger of the largest of the first 16 and the largest of the last 16, and so on: five passes
// over pairs, which compilers turn into vectors.
//
// Outside the picture nothing is known: the ground at the border is that of the nearest windows inside.
#include "core/picture/ground.h"

#include <stdlib.h>
#include <string.h>

enum { REACH = 32, DARKEST = 96 }; // pixels; the grey value below which a ground no longer makes ink darker

// The picture in a frame of REACH pixels, which has room for every window that meets it.
struct padded {
	size_t width, n; // of all
	uint8_t *at;
};

static void widen(const struct image *plane, struct padded *p)
{
	memset(p->at, 0, p->n);
	for (size_t y = 0; y < (size_t)plane->height; y++)
		memcpy(p->at + (y + REACH) * p->width + REACH, plane->pixels + y * (size_t)plane->width, (size_t)plane->width);
}

// at[i] becomes the largest of at[i], at[i + step], …: REACH values. The last ones, without so many behind them, are of no use.
static void dilate(uint8_t *at, size_t n, size_t step)
{
	for (size_t apart = step; apart < REACH * step; apart *= 2)
		for (size_t i = 0; i + apart < n; i++)
			at[i] = at[i] > at[i + apart] ? at[i] : at[i + apart];
}

int ground_find(const struct image *plane, uint8_t *ground, struct err *e)
{
	struct padded p = { .width = (size_t)plane->width + 2 * REACH };
	p.n = p.width * ((size_t)plane->height + 2 * REACH);
	p.at = malloc(p.n);
	if (!p.at)
		return err_set(e, "no memory for the ground of a picture");
	widen(plane, &p);
	dilate(p.at, p.n, 1);
	dilate(p.at, p.n, p.width);
	for (size_t i = 0; i < p.n; i++)
		p.at[i] = (uint8_t)~p.at[i];
	dilate(p.at, p.n, 1);
	dilate(p.at, p.n, p.width);
	for (size_t y = 0; y < (size_t)plane->height; y++)
		for (size_t x = 0; x < (size_t)plane->width; x++)
			ground[y * (size_t)plane->width + x] = (uint8_t)~p.at[(y + 1) * p.width + x + 1];
	free(p.at);
	return 0;
}

int ground_flatten(const struct image *plane, uint8_t *flat, struct err *e)
{
	size_t n = (size_t)plane->width * (size_t)plane->height;
	if (ground_find(plane, flat, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		int ground = flat[i], darker = ground - plane->pixels[i];
		int ink = 255 * darker / (ground > DARKEST ? ground : DARKEST);
		flat[i] = (uint8_t)(255 - (ink < 255 ? ink : 255));
	}
	return 0;
}
