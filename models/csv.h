// csv: the tables of numbers that a training run writes (models/record.h), read back; also while the run still writes.
#pragma once

#include "core/err.h"

#include <stddef.h>

// Owned; csv_free frees.
struct csv {
	int n_columns;
	size_t n_rows;
	double *cells; // (n_rows, n_columns)
};

// A file of one line of names, `head`, and lines of as many numbers. "*" in head stands for any letters: a column may be
// "test_accuracy" or "validation_accuracy". A last line without its end is still being written and is left out.
int csv_read(const char *path, const char *head, struct csv *csv, struct err *e);
void csv_free(struct csv *csv);
