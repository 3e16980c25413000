// Checks every line and reports the first wrong one: a run may have been cut off, and a disk may be damaged.
#include "models/csv.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 512, MAX_ROWS = 1 << 26 };

static int read_line(const char *path, size_t number, const char *line, int n_columns, double *cells, struct err *e)
{
	for (int i = 0; i < n_columns; i++) {
		char *end;
		cells[i] = strtod(line, &end);
		if (end == line || *end != (i + 1 < n_columns ? ',' : '\n'))
			return err_set(e, "%s: line %zu: want %d numbers with commas between them", path, number, n_columns);
		line = end + 1;
	}
	return 0;
}

static int grow(struct csv *c, size_t *capacity, struct err *e)
{
	if (c->n_rows < *capacity)
		return 0;
	size_t larger = *capacity ? 2 * *capacity : 64;
	double *cells = larger <= MAX_ROWS ? realloc(c->cells, larger * (size_t)c->n_columns * sizeof *cells) : NULL;
	if (!cells)
		return err_set(e, "no memory for %zu lines", larger);
	c->cells = cells;
	*capacity = larger;
	return 0;
}

static int read_all(FILE *f, const char *path, const char *head, struct csv *c, struct err *e)
{
	char line[LINE] = "";
	size_t capacity = 0;
	bool whole = fgets(line, sizeof line, f) && strchr(line, '\n');
	line[strcspn(line, "\n")] = '\0';
	if (!whole || fnmatch(head, line, 0) != 0)
		return err_set(e, "%s: want a first line %s", path, head);
	c->n_columns = 1;
	for (const char *s = head; *s; s++)
		c->n_columns += *s == ',';
	while (fgets(line, sizeof line, f) && strchr(line, '\n')) {
		if (grow(c, &capacity, e))
			return err_prefix(e, "%s", path);
		if (read_line(path, c->n_rows + 2, line, c->n_columns, c->cells + c->n_rows * (size_t)c->n_columns, e))
			return -1;
		c->n_rows++;
	}
	return 0;
}

int csv_read(const char *path, const char *head, struct csv *csv, struct err *e)
{
	struct csv c = { 0 };
	FILE *f = fopen(path, "re");
	if (!f)
		return err_errno(e, "%s", path);
	int status = read_all(f, path, head, &c, e);
	if (!status && ferror(f))
		status = err_errno(e, "%s", path);
	fclose(f);
	if (status)
		csv_free(&c);
	else
		*csv = c;
	return status;
}

void csv_free(struct csv *csv)
{
	free(csv->cells);
	*csv = (struct csv){ 0 };
}
