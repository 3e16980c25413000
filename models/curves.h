// curves: reads what training runs recorded, for charts.
#pragma once

#include "models/csv.h"
#include "models/recipe.h"

#include <stdbool.h>
#include <stdint.h>

enum { CURVES_LABEL = 128 };

// One run. out: as given to `lenet train -o`. The recipe of an unfinished run comes from its checkpoint.
struct curve {
	const char *out; // borrowed
	struct recipe recipe;
	struct csv steps, epochs;
	char label[CURVES_LABEL]; // what differs from the other runs: in the recipe, "batch 32", else in the path
};

// Reads n runs. curves: [n], zero-initialised; curves_free frees them, also after a failure.
int curves_read(const char *const outs[], int n, struct curve *curves, struct err *e);
void curves_free(struct curve *curves, int n);

// The mean loss of each block of at least `pictures` pictures in one epoch.
struct curve_block {
	double pictures, loss; // pictures seen at its middle; mean loss of a picture
};

// blocks: [steps->n_rows]. Returns the number of blocks; a last, shorter one is left out.
int curves_smooth(const struct csv *steps, uint32_t epoch, uint32_t pictures, struct curve_block *blocks);
