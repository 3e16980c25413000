// The table is made from the runs' CSV files only, so it does not matter when and on which machine the runs were made.
#include "models/sweep_table.h"

#include "core/file.h"
#include "core/text.h"
#include "models/csv.h"
#include "models/record.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct summary summary_of(double *numbers, int n)
{
	struct summary s = { .n = n };
	double squares = 0;
	if (n == 0)
		return s;
	qsort(numbers, (size_t)n, sizeof *numbers, ascending);
	for (int i = 0; i < n; i++)
		s.mean += numbers[i] / n;
	for (int i = 0; i < n; i++)
		squares += (numbers[i] - s.mean) * (numbers[i] - s.mean);
	s.median = (numbers[(n - 1) / 2] + numbers[n / 2]) / 2;
	s.deviation = n > 1 ? sqrt(squares / (n - 1)) : 0;
	s.low = numbers[0];
	s.high = numbers[n - 1];
	return s;
}

static int read_epochs(const char *weights, int n_epochs, struct csv *csv, struct err *e)
{
	struct record record;
	if (record_init(&record, weights, e))
		return -1;
	int status = csv_read(record.epochs_path, RECORD_EPOCHS_HEAD, csv, e);
	if (!status && csv->n_rows != (size_t)n_epochs) {
		status = err_set(e, "%s: %zu epochs, want %d", record.epochs_path, csv->n_rows, n_epochs);
		csv_free(csv);
	}
	record_fini(&record);
	return status;
}

// accuracy: (n_epochs, n_seeds), finished runs first. best: (n_seeds).
static int read_runs(const struct sweep *s, const char *dir, int point, struct sweep_row *row, double *accuracy, double *best,
		     struct err *e)
{
	for (int seed = 0; seed < s->n_seeds; seed++) {
		char path[SWEEP_PATH];
		struct csv csv;
		if (sweep_path(s, dir, point * s->n_seeds + seed, "lenet.bin", path, e))
			return -1;
		if (access(path, F_OK))
			continue;
		if (read_epochs(path, row->n_epochs, &csv, e))
			return -1;
		best[row->n_runs] = 0;
		for (int k = 0; k < row->n_epochs; k++) {
			double x = csv.cells[k * csv.n_columns + RECORD_EPOCHS_ACCURACY];
			accuracy[(size_t)k * (size_t)s->n_seeds + (size_t)row->n_runs] = x;
			best[row->n_runs] = fmax(best[row->n_runs], x);
		}
		row->n_runs++;
		csv_free(&csv);
	}
	return 0;
}

static int read_row(const struct sweep *s, const char *dir, int point, struct sweep_row *row, struct err *e)
{
	size_t n_epochs = s->points[point].recipe.epochs, n_seeds = (size_t)s->n_seeds;
	double best[SWEEP_MAX_SEEDS], *accuracy = calloc(n_epochs * n_seeds, sizeof *accuracy);
	int status = -1;
	row->n_epochs = (int)n_epochs;
	row->accuracy = calloc(n_epochs, sizeof *row->accuracy);
	if (!accuracy || !row->accuracy)
		err_set(e, "out of memory");
	else
		status = read_runs(s, dir, point, row, accuracy, best, e);
	for (size_t k = 0; k < n_epochs && !status; k++)
		row->accuracy[k] = summary_of(accuracy + k * n_seeds, row->n_runs);
	if (!status)
		row->best = summary_of(best, row->n_runs);
	free(accuracy);
	return status;
}

int sweep_table_read(const struct sweep *sweep, const char *dir, struct sweep_table *table, struct err *e)
{
	struct sweep_table t = { sweep, calloc((size_t)sweep->n_points, sizeof *t.rows) };
	int status = t.rows ? 0 : err_set(e, "out of memory");
	for (int i = 0; i < sweep->n_points && !status; i++)
		status = read_row(sweep, dir, i, &t.rows[i], e);
	if (status)
		sweep_table_free(&t);
	else
		*table = t;
	return status;
}

void sweep_table_free(struct sweep_table *table)
{
	for (int i = 0; table->rows && i < table->sweep->n_points; i++)
		free(table->rows[i].accuracy);
	free(table->rows);
	*table = (struct sweep_table){ 0 };
}

static void print_summary(const struct summary *s, FILE *to)
{
	fprintf(to, "  %6.2f ± %5.2f", 100 * s->median, 100 * s->deviation);
}

void sweep_table_print(const struct sweep_table *table, FILE *to)
{
	int width = 5;
	for (int i = 0; i < table->sweep->n_points; i++)
		width = (int)fmax(width, snprintf(NULL, 0, "%s", table->sweep->points[i].name));
	fprintf(to, "accuracy, %%: median ± standard deviation over the seeds\n");
	fprintf(to, "%-*s  runs     first epoch      last epoch      best epoch\n", width, "point");
	for (int i = 0; i < table->sweep->n_points; i++) {
		const struct sweep_row *row = &table->rows[i];
		fprintf(to, "%-*s  %4d", width, table->sweep->points[i].name, row->n_runs);
		if (row->n_runs) {
			print_summary(&row->accuracy[0], to);
			print_summary(&row->accuracy[row->n_epochs - 1], to);
			print_summary(&row->best, to);
		}
		putc('\n', to);
	}
}

int sweep_table_write_csv(const struct sweep_table *table, const char *path, struct err *e)
{
	struct text t = { 0 };
	text_printf(&t, "point,epoch,runs,median,mean,deviation,low,high\n");
	for (int i = 0; i < table->sweep->n_points; i++) {
		const struct sweep_row *row = &table->rows[i];
		for (int k = 0; k <= row->n_epochs && row->n_runs; k++) {
			const struct summary *s = k < row->n_epochs ? &row->accuracy[k] : &row->best;
			text_printf(&t, "%s,", table->sweep->points[i].name);
			text_printf(&t, k < row->n_epochs ? "%d," : "best,", k + 1);
			text_printf(&t, "%d,%.9g,%.9g,%.9g,%.9g,%.9g\n", s->n, s->median, s->mean, s->deviation, s->low, s->high);
		}
	}
	size_t n;
	char *bytes = text_take(&t, &n);
	int status = bytes ? file_write(path, bytes, n, e) : err_set(e, "out of memory");
	free(bytes);
	return status;
}

static void json_summary(struct text *t, const struct summary *s)
{
	text_printf(t, "\"median\": %.9g, \"mean\": %.9g, \"deviation\": %.9g, \"low\": %.9g, \"high\": %.9g}", s->median, s->mean,
		    s->deviation, s->low, s->high);
}

int sweep_table_print_json(const struct sweep_table *table, FILE *to, struct err *e)
{
	struct text t = { 0 };
	for (int i = 0; i < table->sweep->n_points; i++) {
		const struct sweep_row *row = &table->rows[i];
		char recipe[RECIPE_TEXT];
		recipe_print(&table->sweep->points[i].recipe, recipe);
		text_printf(&t, "%s{\"point\": ", i ? ",\n " : "[");
		text_quote(&t, table->sweep->points[i].name);
		text_printf(&t, ", \"recipe\": %s, \"runs\": %d, \"epochs\": [", recipe, row->n_runs);
		for (int k = 0; k < row->n_epochs && row->n_runs; k++) {
			text_printf(&t, "%s{\"epoch\": %d, ", k ? ", " : "", k + 1);
			json_summary(&t, &row->accuracy[k]);
		}
		text_printf(&t, "]");
		if (row->n_runs) {
			text_printf(&t, ", \"best\": {");
			json_summary(&t, &row->best);
		}
		text_printf(&t, "}");
	}
	text_printf(&t, "]\n");
	return text_print(&t, to, e);
}
