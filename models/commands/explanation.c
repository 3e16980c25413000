// All steps but the 28×28 pixels have the size of the planes that were searched. They are enlarged by a whole factor, so that each pixel is
// seen as it is, and so are the 28×28, to about the same size.
#include "models/commands/explanation.h"

#include "core/file.h"
#include "core/picture/png.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 4, LEAST_SIDE = 240, GAP = 10, GROUND = 75 }; // pixels; the palette's index between the steps

struct cells {
	int width, height;
};

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

// The factor that makes a step as large as a cell, or LEAST_SIDE if there are no cells yet.
static int zoom_to(const struct image *image, const struct cells *cells)
{
	if (!cells->width)
		return (LEAST_SIDE - 1) / larger(image->width, image->height) + 1;
	return larger(smaller(cells->width / image->width, cells->height / image->height), 1);
}

static struct cells measure(const struct steps_drawn *drawn)
{
	const struct image *first = &drawn->at[0].image;
	int zoom = zoom_to(first, &(struct cells){ 0 });
	return (struct cells){ larger(first->width * zoom, LEAST_SIDE / 2), larger(first->height * zoom, LEAST_SIDE / 2) };
}

// Draws a step into the middle of the cell at (left, top).
static void put(const struct step *step, const struct cells *cells, int left, int top, struct image *sheet)
{
	int zoom = zoom_to(&step->image, cells), width = step->image.width * zoom, height = step->image.height * zoom;
	left += (cells->width - width) / 2;
	top += (cells->height - height) / 2;
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++) {
			uint8_t value = step->image.pixels[y / zoom * step->image.width + x / zoom];
			sheet->pixels[(top + y) * sheet->width + left + x] = step->has_colour ? value : value / 2;
		}
}

int explanation_write_png(const struct steps_drawn *drawn, const char *path, struct err *e)
{
	struct cells cells = measure(drawn);
	int columns = smaller(drawn->n, COLUMNS), rows = (drawn->n + COLUMNS - 1) / COLUMNS;
	struct image sheet = { columns * (cells.width + GAP) + GAP, rows * (cells.height + GAP) + GAP, NULL };
	size_t size = (size_t)sheet.width * (size_t)sheet.height, n;
	uint8_t palette[256][3], *bytes;
	sheet.pixels = malloc(size);
	if (!sheet.pixels)
		return err_set(e, "%s: no memory for the steps", path);
	memset(sheet.pixels, GROUND, size);
	for (int i = 0; i < drawn->n; i++)
		put(&drawn->at[i], &cells, GAP + i % COLUMNS * (cells.width + GAP), GAP + i / COLUMNS * (cells.height + GAP),
		    &sheet);
	steps_palette(palette);
	int status = png_encode_palette(&sheet, palette, false, &bytes, &n, e);
	image_free(&sheet);
	if (status)
		return err_prefix(e, "%s", path);
	status = file_write(path, bytes, n, e);
	free(bytes);
	return status;
}

void explanation_print(const struct steps_drawn *drawn, const char *path)
{
	printf("%s shows how it was read, row by row:\n", path);
	for (int i = 0; i < drawn->n; i++)
		printf("%d. %s: %s\n", i + 1, drawn->at[i].name, drawn->at[i].about);
}
