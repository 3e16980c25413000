// curves: what training runs recorded, read for charts.
#pragma once

#include "models/csv.h"
#include "models/recipe.h"

#include <stdbool.h>
#include <stdint.h>

enum { CURVES_LABEL = 128 };

// One run: OUT.bin as `lenet train -o` was given it. It may be unfinished; then its checkpoint says what it is.
struct curve {
	const char *out; // borrowed
	struct recipe recipe;
	struct csv steps, epochs;
	char label[CURVES_LABEL]; // how its recipe differs from the other runs': "batch 32"; else how its file's name does
};

// Reads n runs. curves: [n], zeroed before; curves_free frees what was read also after a failure.
int curves_read(const char *const outs[], int n, struct curve *curves, struct err *e);
void curves_free(struct curve *curves, int n);

// A curve through the noise: the mean loss of each block of at least `pictures` pictures, over one epoch's steps.
struct curve_block {
	double pictures, loss; // seen at its middle; the mean, each picture counted once
};

// blocks: room for steps.n_rows. Returns how many there are; a last and shorter one is left out.
int curves_smooth(const struct csv *steps, uint32_t epoch, uint32_t pictures, struct curve_block *blocks);
