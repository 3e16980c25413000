// chart: draws the charts of `lenet plot`, each by one gnuplot script.
#pragma once

#include "core/engine.h"
#include "models/curves.h"

#include <stdint.h>

struct chart {
	const char *out; // NAME.svg or NAME.png
	const char *title; // or NULL
};

enum { CHART_MAX_RUNS = 21 }; // 7 colours, 3 kinds of line

// The training loss of the first epoch, each point the mean of `smooth` pictures; for a single run also every step.
int chart_loss(const struct chart *chart, const struct curve *curves, int n, uint32_t smooth, struct err *e);

// Loss and accuracy after every epoch.
int chart_epochs(const struct chart *chart, const struct curve *curves, int n, struct err *e);

// counts: [label][answer].
int chart_confusion(const struct chart *chart, const uint32_t counts[LENET5_DIGITS][LENET5_DIGITS], struct err *e);

// The six kernels of C1. weights: (6, 1, 5, 5).
int chart_kernels(const struct chart *chart, const float *weights, struct err *e);
