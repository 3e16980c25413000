// exposition: Prometheus' text format, 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). Pure.
#pragma once

#include "core/text.h"

#include <stdint.h>

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

// What stands before the samples of a name. type: "counter", "gauge" or "histogram".
void exposition_family(struct text *t, const char *name, const char *type, const char *help);

// A family that is one sample without labels.
void exposition_counter(struct text *t, const char *name, const char *help, uint64_t value);
void exposition_gauge(struct text *t, const char *name, const char *help, double value);

void exposition_quote(struct text *t, const char *value); // of a label

// An upper bound, in what is counted (nanoseconds, pictures), and as the label says it (seconds, pictures).
struct exposition_bound {
	uint64_t max;
	const char *le;
};

// The samples of one histogram. labels: "a=\"b\"", or "" for none. counts: [n + 1], each of its bucket alone, the last of what is
// over every bound. sum: in units of 1/per_unit (1000000000 for nanoseconds where the family says seconds).
void exposition_histogram(struct text *t, const char *name, const char *labels, const struct exposition_bound *bounds, int n,
			  const uint64_t *counts, uint64_t sum, uint64_t per_unit);
