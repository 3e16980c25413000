// `lenet grid`: test pictures as one image. Beside each picture stands its label and, below that, the network's answer. Cells with a
// wrong answer are inverted, dark ink on white, so they show without colour.
#include "core/file.h"
#include "core/picture/png.h"
#include "models/commands/evaluation.h"
#include "models/commands/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MAX_PICTURES = 4096,
	COLUMNS = 16,
	ZOOM = 2, // of a picture and of a digit's dots
	GLYPH_WIDTH = 5,
	GLYPH_HEIGHT = 7,
	GAP = 4,
	SIDE = ZOOM * LENET5_SIDE,
	CELL_WIDTH = SIDE + ZOOM * GLYPH_WIDTH + 4 * GAP,
	CELL_HEIGHT = SIDE + 2 * GAP,
};

// Rows of five dots, the leftmost the highest bit.
static const uint8_t glyphs[LENET5_DIGITS][GLYPH_HEIGHT] = {
	{ 0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e }, { 0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e },
	{ 0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f }, { 0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e },
	{ 0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02 }, { 0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e },
	{ 0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e }, { 0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08 },
	{ 0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e }, { 0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c },
};

// A cell of the sheet; `wrong` inverts it.
struct cell {
	struct image *sheet;
	int x, y; // of its corner
	bool wrong;
};

static void set_dot(const struct cell *c, int x, int y, uint8_t light)
{
	uint8_t value = c->wrong ? (uint8_t)(255 - light) : light;
	for (int dy = 0; dy < ZOOM; dy++)
		for (int dx = 0; dx < ZOOM; dx++)
			c->sheet->pixels[(size_t)(c->y + y + dy) * (size_t)c->sheet->width + (size_t)(c->x + x + dx)] = value;
}

static void draw_digit(const struct cell *c, int y, int digit, uint8_t light)
{
	for (int row = 0; row < GLYPH_HEIGHT; row++)
		for (int column = 0; column < GLYPH_WIDTH; column++)
			if (glyphs[digit][row] >> (GLYPH_WIDTH - 1 - column) & 1)
				set_dot(c, SIDE + 2 * GAP + ZOOM * column, y + ZOOM * row, light);
}

static void draw_cell(const struct cell *c, const uint8_t *pixels, int label, int answer)
{
	for (int y = 0; y < CELL_HEIGHT; y += ZOOM)
		for (int x = 0; x < CELL_WIDTH; x += ZOOM)
			set_dot(c, x, y, 0);
	for (int i = 0; i < LENET5_PIXELS; i++)
		set_dot(c, GAP + ZOOM * (i % LENET5_SIDE), GAP + ZOOM * (i / LENET5_SIDE), pixels[i]);
	draw_digit(c, GAP + SIDE / 2 - ZOOM * GLYPH_HEIGHT - GAP, label, 160);
	draw_digit(c, GAP + SIDE / 2 + GAP, answer, 255);
}

static int draw(const struct idx *data, const struct lenet5_prediction *predictions, const char *out, struct err *e)
{
	int n = (int)data->n, columns = n < COLUMNS ? n : COLUMNS, rows = (n + COLUMNS - 1) / COLUMNS;
	struct image sheet = { columns * (CELL_WIDTH + ZOOM) - ZOOM, rows * (CELL_HEIGHT + ZOOM) - ZOOM, NULL };
	uint8_t *bytes;
	size_t n_bytes, size = (size_t)sheet.width * (size_t)sheet.height;
	sheet.pixels = malloc(size);
	if (!sheet.pixels)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < size; i++)
		sheet.pixels[i] = 96; // the lines between the cells
	for (int i = 0; i < n; i++) {
		const struct cell cell = { &sheet, i % COLUMNS * (CELL_WIDTH + ZOOM), i / COLUMNS * (CELL_HEIGHT + ZOOM),
					   predictions[i].digit != data->labels[i] };
		draw_cell(&cell, data->pixels + (size_t)i * LENET5_PIXELS, data->labels[i], predictions[i].digit);
	}
	int status = png_encode(&sheet, &bytes, &n_bytes, e);
	image_free(&sheet);
	if (status)
		return err_prefix(e, "%s", out);
	status = file_write(out, bytes, n_bytes, e);
	free(bytes);
	return status;
}

static int run(const struct program *program, const struct evaluation_choice *choice, const char *out, struct err *e)
{
	struct evaluation v = { 0 };
	if (evaluation_run(program, choice, &v, e) || draw(&v.test, v.predictions, out, e)) {
		evaluation_fini(&v);
		return -1;
	}
	printf("%s: %u of %u right\n", v.model, v.measure.n_right, v.measure.n);
	for (uint32_t i = 0; i < v.test.n; i++)
		if (v.predictions[i].digit != v.test.labels[i])
			printf("picture %u: a %d, read as %d (%.2f %%)\n", (uint32_t)choice->from + i, v.test.labels[i],
			       v.predictions[i].digit, 100 * (double)v.predictions[i].confidence);
	printf("wrote %s: each picture with its label beside it and the answer below the label; wrong ones on white\n", out);
	evaluation_fini(&v);
	return 0;
}

int command_grid(const struct program *program, int argc, char **argv)
{
	struct evaluation_choice a = { .engine = { .device = "auto", .max_batch = MEASURE_BATCH }, .threads = 1, .count = 128 };
	const char *out = "grid.png";
	const struct option options[] = {
		{ "model", "FILE", "weights file to read (the built-in model)", .text = &a.model },
		{ "network", "NAME", "network of a weights file that does not name it: sigmoid, relu or 1998", .text = &a.network },
		{ "data", "DIR", "folder of MNIST's files (data, else tests/data)", .text = &a.data },
		{ "from", "N", "number of the first picture, as in `lenet eval` (0)", .count = &a.from, .max = 1000000,
		  .zero = true },
		{ "count", "N", "number of pictures (128)", .count = &a.count, .max = MAX_PICTURES },
		{ "o", "FILE.png", "image to write (grid.png)", .text = &out },
		OPTIONS_ENGINE(a.engine),
	};
	static const char help[] = "Draws pictures of the test set with their labels and a network's answers.";
	const struct usage usage = { "grid", "", help, options, sizeof options / sizeof options[0], 0, 0 };
	struct err e;
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	return run(program, &a, out, &e) ? options_fail(&usage, &e) : 0;
}
