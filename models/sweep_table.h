// sweep_table: the results of a sweep: accuracy over the seeds after every epoch, read from the files of its finished runs.
#pragma once

#include "models/sweep.h"

#include <stdio.h>

struct summary {
	int n;
	double median, mean, deviation, low, high; // deviation: the sample's standard deviation, 0 for one number
};
struct summary summary_of(double *numbers, int n); // sorts the numbers; all 0 if n is 0

struct sweep_row {
	int n_runs; // finished runs; if 0, so is the rest
	int n_epochs;
	struct summary *accuracy; // [n_epochs], 0..1
	struct summary best; // over the best epoch of each run
};

// Owned; sweep_table_free frees. The sweep is borrowed.
struct sweep_table {
	const struct sweep *sweep;
	struct sweep_row *rows; // [sweep->n_points]
};

// Reads the epochs of every finished run below `dir`.
int sweep_table_read(const struct sweep *sweep, const char *dir, struct sweep_table *table, struct err *e);
void sweep_table_free(struct sweep_table *table);

// print: first, last and best epoch of each point, for people. CSV and JSON: every epoch.
void sweep_table_print(const struct sweep_table *table, FILE *to);
int sweep_table_write_csv(const struct sweep_table *table, const char *path, struct err *e);
int sweep_table_print_json(const struct sweep_table *table, FILE *to, struct err *e);
