// csv: reads the tables of numbers that a training run writes (models/record.h), also during the run. Any thread may call.
#pragma once

#include "core/err.h"

#include <stddef.h>

// Owned; csv_free frees.
struct csv {
	int n_columns;
	size_t n_rows;
	double *cells; // (n_rows, n_columns)
};

// Reads a file whose first line matches the pattern `head`, in which "*" stands for any text, and whose other lines hold as many
// numbers. Leaves out a last line without a newline: the run is still writing it.
int csv_read(const char *path, const char *head, struct csv *csv, struct err *e);
void csv_free(struct csv *csv);
