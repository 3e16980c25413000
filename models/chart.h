// chart: the pictures of `lenet plot`, each one gnuplot script.
#pragma once

#include "core/engine.h"
#include "models/curves.h"

#include <stdint.h>

struct chart {
	const char *out; // NAME.svg or NAME.png
	const char *title; // or NULL
};

enum { CHART_MAX_RUNS = 21 }; // 7 colours, 3 kinds of line

// The first epoch's loss over the pictures seen, each point the mean of `smooth` pictures; of a single run every step, too.
int chart_loss(const struct chart *chart, const struct curve *curves, int n, uint32_t smooth, struct err *e);

// Loss and accuracy after every epoch.
int chart_epochs(const struct chart *chart, const struct curve *curves, int n, struct err *e);

// counts: [label][answer].
int chart_confusion(const struct chart *chart, const uint32_t counts[LENET5_DIGITS][LENET5_DIGITS], struct err *e);

// C1's six kernels, side by side. weights: (6, 1, 5, 5).
int chart_kernels(const struct chart *chart, const float *weights, struct err *e);
