// prometheus_text: Prometheus' text format 0.0.4 (https://prometheus.io/docs/instrumenting/prometheus_text_formats/). Pure.
#pragma once

#include "core/text.h"

#include <stdint.h>

#define PROMETHEUS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

// The header of a metric's samples. type: "counter", "gauge" or "histogram".
void prometheus_text_family(struct text *t, const char *name, const char *type, const char *help);

// A metric with one sample and no labels.
void prometheus_text_counter(struct text *t, const char *name, const char *help, uint64_t value);
void prometheus_text_gauge(struct text *t, const char *name, const char *help, double value);

void prometheus_text_quote(struct text *t, const char *value); // a label's value

// An upper bound in the unit that is counted (nanoseconds, pictures), and as a label (seconds, pictures).
struct prometheus_text_bound {
	uint64_t max;
	const char *le;
};

// The samples of a histogram. labels: "a=\"b\"" or "". counts: [n + 1], not cumulative, the last for values above all bounds. sum: in
// units of 1/per_unit (1000000000: nanoseconds, written as seconds).
void prometheus_text_histogram(struct text *t, const char *name, const char *labels, const struct prometheus_text_bound *bounds,
			       int n, const uint64_t *counts, uint64_t sum, uint64_t per_unit);
