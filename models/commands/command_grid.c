// `lenet grid`: test pictures as one image, as a sheet of contact prints: beside each its label and, below that, the
// network's answer. A wrong one stands on white, with dark ink, where the others stand on black: no colour is needed to see it.
#include "core/file.h"
#include "core/image.h"
#include "models/commands/command.h"
#include "models/measure.h"
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

// A cell of the sheet; `wrong` turns black and white round in it.
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
		sheet.pixels[i] = 96; // what shows between the cells
	for (int i = 0; i < n; i++) {
		const struct cell cell = { &sheet, i % COLUMNS * (CELL_WIDTH + ZOOM), i / COLUMNS * (CELL_HEIGHT + ZOOM),
					   predictions[i].digit != data->labels[i] };
		draw_cell(&cell, data->pixels + (size_t)i * LENET5_PIXELS, data->labels[i], predictions[i].digit);
	}
	int status = image_write_png(&sheet, &bytes, &n_bytes, e);
	image_free(&sheet);
	if (status)
		return err_prefix(e, "%s", out);
	status = file_write(out, bytes, n_bytes, e);
	free(bytes);
	return status;
}

struct arguments {
	const char *model, *network, *data, *out;
	struct engine_choice engine;
	int from, count;
};

static void print_result(const struct arguments *a, const char *name, const struct idx *shown, const struct measure *m,
			 const struct lenet5_prediction *predictions)
{
	printf("%s: %u of %u right\n", name, m->n_right, m->n);
	for (uint32_t i = 0; i < shown->n; i++)
		if (predictions[i].digit != shown->labels[i])
			printf("picture %u: a %d, read as %d (%.2f %%)\n", (uint32_t)a->from + i, shown->labels[i],
			       predictions[i].digit, 100 * (double)predictions[i].confidence);
	printf("wrote %s: beside each picture its label, and below that the answer; wrong ones on white\n", a->out);
}

static int run(const struct program *program, const struct arguments *a, struct err *e)
{
	int status = -1;
	struct weights w = { 0 };
	struct idx test = { 0 };
	struct engine *engine = NULL;
	struct lenet5_prediction predictions[MAX_PICTURES];
	struct measure measure;
	const char *name, *dir;
	if (measure_model(a->model, a->network, &w, &name, e) || measure_data(a->data, IDX_TEST, &test, &dir, e) ||
	    options_open_engine(program, &a->engine, &engine, e))
		goto out;
	uint32_t first = (uint32_t)a->from;
	if (first + (uint32_t)a->count > test.n) {
		err_set(e, "%d pictures from number %u on: %s has %u in all", a->count, first, dir, test.n);
		goto out;
	}
	const struct idx shown = { (uint32_t)a->count, test.pixels + (size_t)first * LENET5_PIXELS, test.labels + first };
	const struct engine_network network = { w.net, w.mean, w.std, w.params };
	if (measure_network(engine, &network, &shown, 1, predictions, &measure, e) || draw(&shown, predictions, a->out, e))
		goto out;
	print_result(a, name, &shown, &measure, predictions);
	status = 0;
out:
	engine_close(engine);
	idx_free(&test);
	weights_free(&w);
	return status;
}

int command_grid(const struct program *program, int argc, char **argv)
{
	struct arguments a = { .engine = { .device = "auto", .max_batch = MEASURE_BATCH }, .out = "grid.png", .count = 128 };
	const struct option options[] = {
		{ "model", "FILE", "a weights file (the built-in model)", .text = &a.model },
		{ "network", "NAME", "the network, where the file does not say", .text = &a.network },
		{ "data", "DIR", "where MNIST's files are (data, else tests/data)", .text = &a.data },
		{ "from", "N", "the number of the first picture, as `lenet eval` counts (0)", .count = &a.from, .max = 1000000,
		  .zero = true },
		{ "count", "N", "so many pictures (128)", .count = &a.count, .max = MAX_PICTURES },
		{ "o", "FILE.png", "the image (grid.png)", .text = &a.out },
		OPTIONS_ENGINE(a.engine),
	};
	const struct usage usage = { "grid", "",
				     "\nDraws the first pictures of the test set, their labels and what a network reads.", options,
				     sizeof options / sizeof options[0] };
	int status;
	struct err e;
	if (!options_parse(&usage, &argc, argv, &status))
		return status;
	if (argc)
		return options_wrong(&usage, "what is \"%s\"? The weights file goes behind --model", argv[0]);
	return run(program, &a, &e) ? options_fail(&usage, &e) : 0;
}
