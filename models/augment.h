// augment: small distortions of the training pictures, drawn anew in every epoch. Pure functions of picture, limits and
// generator; any thread may call.
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

// How far a picture may be moved; each amount is drawn uniformly in ± its limit. All zero: not at all.
struct augment {
	double rotate; // degrees
	double scale; // fraction of the size, across and down apart
	double shear; // pixels across a pixel down
	double shift; // pixels, across and down apart
	double elastic; // root mean square of a smooth random displacement, in pixels, across and down apart
	double elastic_sigma; // standard deviation of the Gaussian that makes it smooth, in pixels; above 0
};

bool augment_is_none(const struct augment *limits);

// from, to: (n, 28, 28), not overlapping. Picture i is distorted as the generator of (seed, epoch, i) says: the same bytes
// with any number of threads. epoch is at least 1.
void augment_epoch(const struct augment *limits, uint32_t seed, uint32_t epoch, const uint8_t *from, uint32_t n, uint8_t *to,
		   int n_threads);
