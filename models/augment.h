// augment: distorts the training pictures, differently in every epoch. Pure functions; any thread may call.
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

// The limits of the distortion: each amount is drawn uniformly in ± its limit. All zero: no distortion.
struct augment {
	double rotate; // degrees
	double scale; // fraction of the size; across and down are drawn apart
	double shear; // pixels across for each pixel down
	double shift; // pixels; across and down are drawn apart
	double elastic; // root mean square of a smooth random displacement, pixels
	double elastic_sigma; // standard deviation of the Gaussian that smooths it, pixels; above 0
};

bool augment_is_none(const struct augment *limits);

// from, to: (n, 28, 28), not overlapping; epoch: at least 1. The distortion of picture i is drawn from the generator of (seed, epoch,
// i), so the bytes are the same with any number of threads.
void augment_epoch(const struct augment *limits, uint32_t seed, uint32_t epoch, const uint8_t *from, uint32_t n, uint8_t *to,
		   int n_threads);
