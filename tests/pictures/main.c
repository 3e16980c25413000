// hard-pictures: makes hard pictures, for tests and to look at, and tells how many of them the program reads (docs/pictures.md).
#include "core/file.h"
#include "core/idx.h"
#include "core/picture/png.h"
#include "tests/pictures/hard.h"
#include "tests/pictures/nondigits.h"
#include "tests/pictures/sheet.h"
#include "tests/pictures/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: hard-pictures --table | --sheet FILE.png | --write DIR [OPTION]...\n"
	"\n"
	"  --table        print how many pictures of each condition are read right\n"
	"  --sheet FILE   write a contact sheet, a row of 12 for each condition and kind\n"
	"  --write DIR    write pictures named DIGIT-condition-i.png and none-kind-i.png into an existing folder\n"
	"  --n N          pictures of each condition (table: 1000, write: 3)\n"
	"  --data DIR     MNIST's files (data)\n"
	"  --set SET      train or test (train)\n"
	"  --from N       the first digit of the set to use (0)\n"
	"  --seed N       another seed makes other pictures (1)\n"
	"  --model FILE   a weights file (the built-in model)\n"
	"  --fonts DIR    the folder of DejaVu's fonts (" GLYPHS_FOLDER ")\n";

enum { N_ROWS = HARD_CONDITIONS + NONDIGIT_KINDS };

struct options {
	bool table;
	const char *sheet, *write, *data, *model, *fonts;
	enum idx_set set;
	uint32_t n, from, seed;
};

static int write_png(const char *path, const struct image *image, struct err *e)
{
	uint8_t *bytes;
	size_t n;
	if (png_encode(image, &bytes, &n, e))
		return -1;
	int status = file_write(path, bytes, n, e);
	free(bytes);
	return status;
}

static const uint8_t *digit(const struct idx *data, const struct options *o, uint32_t i)
{
	return data->pixels + (size_t)((o->from + i) % data->n) * 784;
}

// Row after row: the conditions, then the kinds without a digit.
static int make_picture(int row, uint32_t i, const struct options *o, const struct idx *data, struct glyphs *glyphs,
			struct image *image, struct err *e)
{
	uint64_t seed = o->seed + (uint64_t)i;
	if (row < HARD_CONDITIONS)
		return hard_make(row, seed, digit(data, o, i), image, e);
	return nondigit_make(row - HARD_CONDITIONS, seed, glyphs, digit(data, o, i), digit(data, o, i + 1), image, e);
}

static const char *row_name(int row)
{
	return row < HARD_CONDITIONS ? hard_name(row) : nondigit_name(row - HARD_CONDITIONS);
}

static int make_sheet(const struct options *o, const struct idx *data, struct glyphs *glyphs, struct err *e)
{
	struct sheet sheet;
	int status = sheet_open(&sheet, N_ROWS, e);
	if (status)
		return -1;
	for (int row = 0; row < N_ROWS && !status; row++) {
		status = sheet_name(&sheet, row, row_name(row), glyphs, e);
		for (uint32_t i = 0; i < SHEET_COLUMNS && !status; i++) {
			struct image image = { 0 };
			status = make_picture(row, i + (uint32_t)row * SHEET_COLUMNS, o, data, glyphs, &image, e);
			if (!status)
				sheet_put(&sheet, row, (int)i, &image);
			image_free(&image);
		}
	}
	if (!status)
		status = write_png(o->sheet, &sheet.image, e);
	image_free(&sheet.image);
	return status;
}

static int write_pictures(const struct options *o, const struct idx *data, struct glyphs *glyphs, struct err *e)
{
	int status = 0;
	for (int row = 0; row < N_ROWS; row++)
		for (uint32_t i = 0; i < o->n && !status; i++) {
			char path[4096];
			struct image image = { 0 };
			uint32_t which = i + (uint32_t)row * o->n;
			char label[8] = "none";
			if (row < HARD_CONDITIONS)
				snprintf(label, sizeof label, "%d", data->labels[(o->from + which) % data->n]);
			snprintf(path, sizeof path, "%s/%s-%s-%u.png", o->write, label, row_name(row), i);
			status = make_picture(row, which, o, data, glyphs, &image, e) || write_png(path, &image, e);
			image_free(&image);
		}
	return status ? -1 : 0;
}

static int print_table(const struct options *o, const struct idx *data, struct err *e)
{
	struct table_options table = { o->model, o->fonts, o->n, o->from, o->seed, (int)sysconf(_SC_NPROCESSORS_ONLN) };
	printf("%u pictures of each row, of MNIST's %s digits from %u on, made with seed %u and read by %s.\n\n", o->n,
	       o->set == IDX_TRAIN ? "training" : "test", o->from, o->seed, o->model ? o->model : "the built-in model");
	return table_print(&table, data, stdout, e);
}

// Reads one number; exits with the usage if it is none.
static uint32_t number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || n > 1000000000) {
		fprintf(stderr, "hard-pictures: %s is no number from 0 to 1000000000\n", text);
		exit(2);
	}
	return (uint32_t)n;
}

static bool take_option(struct options *o, const char *name, const char *value)
{
	if (strcmp(name, "--sheet") == 0)
		o->sheet = value;
	else if (strcmp(name, "--write") == 0)
		o->write = value;
	else if (strcmp(name, "--data") == 0)
		o->data = value;
	else if (strcmp(name, "--model") == 0)
		o->model = value;
	else if (strcmp(name, "--fonts") == 0)
		o->fonts = value;
	else if (strcmp(name, "--n") == 0)
		o->n = number(value);
	else if (strcmp(name, "--from") == 0)
		o->from = number(value);
	else if (strcmp(name, "--seed") == 0)
		o->seed = number(value);
	else if (strcmp(name, "--set") == 0 && strcmp(value, "train") == 0)
		o->set = IDX_TRAIN;
	else if (strcmp(name, "--set") == 0 && strcmp(value, "test") == 0)
		o->set = IDX_TEST;
	else
		return false;
	return true;
}

static bool take_options(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--table") == 0)
			o->table = true;
		else if (i + 1 == argc || !take_option(o, argv[i], argv[i + 1]))
			return false;
		else
			i++;
	}
	if (!o->n)
		o->n = o->table ? 1000 : 3;
	return o->table || o->sheet || o->write;
}

int main(int argc, char **argv)
{
	struct options o = { .data = "data", .fonts = GLYPHS_FOLDER, .seed = 1 };
	struct idx data = { 0 };
	struct err e;
	if (!take_options(&o, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	struct glyphs *glyphs = NULL;
	int status = idx_read(o.data, o.set, &data, &e);
	if (!status)
		status = glyphs_open(o.fonts, &glyphs, &e);
	if (!status && o.table)
		status = print_table(&o, &data, &e);
	if (!status && o.sheet)
		status = make_sheet(&o, &data, glyphs, &e);
	if (!status && o.write)
		status = write_pictures(&o, &data, glyphs, &e);
	if (status)
		fprintf(stderr, "hard-pictures: %s\n", e.msg);
	glyphs_close(glyphs);
	idx_free(&data);
	return status ? 1 : 0;
}
