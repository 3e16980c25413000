// The name of a run's weights file leads to its other files (models/record.h). Its label is what its recipe, in the weights file's
// metadata, has different from the other runs; if that is nothing or too long, the part of its path that differs.
#include "models/curves.h"

#include "models/record.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int read_curve(struct curve *c, struct err *e)
{
	struct record record;
	if (record_init(&record, c->out, e))
		return -1;
	int status = record_recipe(access(c->out, F_OK) == 0 ? c->out : record.checkpoint_path, &c->recipe, e);
	if (!status)
		status = csv_read(record.steps_path, RECORD_STEPS_HEAD, &c->steps, e);
	if (!status)
		status = csv_read(record.epochs_path, RECORD_EPOCHS_HEAD, &c->epochs, e);
	record_fini(&record);
	return status;
}

static bool all_have(const struct curve *curves, int n, int field, const char *value)
{
	char other[RECIPE_VALUE];
	for (int k = 0; k < n; k++) {
		recipe_value(&curves[k].recipe, field, other);
		if (strcmp(value, other) != 0)
			return false;
	}
	return true;
}

// The folders that differ from the other runs': "1998-sdlm" of runs/1998/1998-sdlm/seed=1/lenet.bin beside
// runs/1998/1998/seed=1/lenet.bin.
static void label_by_name(const struct curve *curves, int n, struct curve *c)
{
	size_t begin = 0, length = strlen(c->out), end = length;
	for (size_t i = 0; i < length; i++) {
		bool front = c->out[i] == '/', back = c->out[length - 1 - i] == '/';
		for (int k = 0; k < n; k++) {
			size_t other = strlen(curves[k].out);
			front = front && strncmp(c->out, curves[k].out, i + 1) == 0;
			back = back && other > i && strcmp(c->out + length - 1 - i, curves[k].out + other - 1 - i) == 0;
		}
		if (front)
			begin = i + 1;
		if (back)
			end = length - 1 - i;
	}
	if (n == 1 || begin >= end) {
		begin = 0;
		end = length;
	}
	snprintf(c->label, sizeof c->label, "%.*s", (int)(end - begin), c->out + begin);
}

static void set_label(struct curve *curves, int n, int k)
{
	enum { READABLE = 48 };
	struct curve *c = &curves[k];
	size_t used = 0;
	for (int i = 0; i < RECIPE_N_FIELDS; i++) {
		char value[RECIPE_VALUE];
		recipe_value(&c->recipe, i, value);
		if (!all_have(curves, n, i, value) && used < sizeof c->label)
			used += (size_t)snprintf(c->label + used, sizeof c->label - used, "%s%s %s", used ? ", " : "",
						 recipe_field_at(i).name, value);
	}
	if (!used || used > READABLE)
		label_by_name(curves, n, c);
}

int curves_read(const char *const outs[], int n, struct curve *curves, struct err *e)
{
	for (int k = 0; k < n; k++) {
		curves[k].out = outs[k];
		if (read_curve(&curves[k], e))
			return -1;
	}
	for (int k = 0; k < n; k++)
		set_label(curves, n, k);
	return 0;
}

void curves_free(struct curve *curves, int n)
{
	for (int k = 0; k < n; k++) {
		csv_free(&curves[k].steps);
		csv_free(&curves[k].epochs);
	}
}

int curves_smooth(const struct csv *steps, uint32_t epoch, uint32_t pictures, struct curve_block *blocks)
{
	int n = 0;
	double begun = 0, seen = 0, sum = 0; // begun: the pictures seen before the block
	for (size_t i = 0; i < steps->n_rows; i++) {
		const double *row = steps->cells + i * (size_t)steps->n_columns;
		if (row[RECORD_STEPS_EPOCH] < epoch)
			begun = seen = row[RECORD_STEPS_PICTURES];
		if (row[RECORD_STEPS_EPOCH] != epoch)
			continue;
		sum += row[RECORD_STEPS_LOSS] * (row[RECORD_STEPS_PICTURES] - seen);
		seen = row[RECORD_STEPS_PICTURES];
		if (seen - begun < pictures)
			continue;
		blocks[n++] = (struct curve_block){ (begun + seen) / 2, sum / (seen - begun) };
		begun = seen;
		sum = 0;
	}
	return n;
}
