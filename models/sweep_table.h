// sweep_table: what came of a sweep: accuracy over the seeds, after every epoch, from the files of its finished runs.
#pragma once

#include "models/sweep.h"

#include <stdio.h>

// Of n numbers; all 0 where n is 0.
struct summary {
	int n;
	double median, mean, deviation, low, high; // deviation: the standard deviation of a sample, 0 of a single number
};
struct summary summary_of(double *numbers, int n); // sorts them

struct sweep_row {
	int n_runs; // that are finished; where it is 0 the rest is, too
	int n_epochs;
	struct summary *accuracy; // [n_epochs], 0..1
	struct summary best; // of each run's best epoch
};

// Owned; sweep_table_free frees. The sweep is borrowed.
struct sweep_table {
	const struct sweep *sweep;
	struct sweep_row *rows; // [sweep->n_points]
};

// Reads the epochs of every run below `dir` whose weights file is there.
int sweep_table_read(const struct sweep *sweep, const char *dir, struct sweep_table *table, struct err *e);
void sweep_table_free(struct sweep_table *table);

// For a person: each point's first, last and best epoch. For programs: every epoch, as CSV (a file) or JSON.
void sweep_table_print(const struct sweep_table *table, FILE *to);
int sweep_table_write_csv(const struct sweep_table *table, const char *path, struct err *e);
int sweep_table_print_json(const struct sweep_table *table, FILE *to, struct err *e);
