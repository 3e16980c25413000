// Cells have one size. A picture larger than that is reduced by means of the pixels that fall on one; a smaller one is enlarged by a whole
// number, so that its own pixels are seen.
#include "tests/pictures/sheet.h"

#include <stdlib.h>
#include <string.h>

enum { CELL = 116, GAP = 4, GROUND = 100 };

int sheet_open(struct sheet *s, int n_rows, struct err *e)
{
	int width = (SHEET_COLUMNS + 1) * (CELL + GAP) + GAP, height = n_rows * (CELL + GAP) + GAP;
	size_t n = (size_t)width * (size_t)height;
	uint8_t *pixels = malloc(n);
	if (!pixels)
		return err_set(e, "no memory for a sheet");
	memset(pixels, GROUND, n);
	*s = (struct sheet){ { width, height, pixels }, n_rows };
	return 0;
}

static int mean_of(const struct image *p, int left, int top, int right, int bottom)
{
	long sum = 0;
	for (int y = top; y < bottom; y++)
		for (int x = left; x < right; x++)
			sum += p->pixels[y * p->width + x];
	return (int)(sum / ((right - left) * (bottom - top)));
}

void sheet_put(struct sheet *s, int row, int column, const struct image *picture)
{
	int longer = picture->width > picture->height ? picture->width : picture->height, times = longer < CELL ? CELL / longer : 1;
	int w = longer < CELL ? picture->width * times : picture->width * CELL / longer;
	int h = longer < CELL ? picture->height * times : picture->height * CELL / longer;
	int left = GAP + (column + 1) * (CELL + GAP) + (CELL - w) / 2, top = GAP + row * (CELL + GAP) + (CELL - h) / 2;
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++) {
			int x0 = x * picture->width / w, x1 = (x + 1) * picture->width / w;
			int y0 = y * picture->height / h, y1 = (y + 1) * picture->height / h;
			x1 = x1 > x0 ? x1 : x0 + 1, y1 = y1 > y0 ? y1 : y0 + 1;
			s->image.pixels[(top + y) * s->image.width + left + x] = (uint8_t)mean_of(picture, x0, y0, x1, y1);
		}
}

int sheet_name(struct sheet *s, int row, const char *name, struct glyphs *glyphs, struct err *e)
{
	enum { LEFT = SHAPE_SIDE / 7, WIDTH = SHAPE_SIDE - 2 * LEFT, HEIGHT = SHAPE_SIDE / 2, TOP = (SHAPE_SIDE - HEIGHT) / 2 };
	uint8_t mask[SHAPE_SIDE * SHAPE_SIDE], pixels[WIDTH * HEIGHT];
	char32_t text[32] = { 0 };
	for (int i = 0; i < 31 && name[i]; i++)
		text[i] = (char32_t)name[i];
	if (glyphs_mask(glyphs, 0, text, mask, e))
		return -1;
	for (int i = 0; i < WIDTH * HEIGHT; i++)
		pixels[i] = mask[(TOP + i / WIDTH) * SHAPE_SIDE + LEFT + i % WIDTH] ? 255 : GROUND;
	sheet_put(s, row, -1, &(struct image){ WIDTH, HEIGHT, pixels });
	return 0;
}
