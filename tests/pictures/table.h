// table: how many hard pictures a model reads, and what it takes pictures without a digit for.
#pragma once

#include "core/err.h"
#include "core/idx.h"

#include <stdint.h>
#include <stdio.h>

struct table_options {
	const char *model; // a weights file; NULL: the built-in model
	const char *fonts; // the folder of the fonts
	uint32_t n, from; // pictures a row; the first digit of the data
	uint32_t seed;
	int n_threads; // the numbers do not depend on it
};

// Prints two tables in Markdown: the conditions with all together, and the kinds without a digit.
int table_print(const struct table_options *o, const struct idx *data, FILE *to, struct err *e);
