// scenes: adds to MNIST's pictures what is found in composed scenes (scene.h), so that a network trains on digits as they come out of
// photos, and on what is no digit.
#pragma once

#include "core/err.h"
#include "core/idx.h"

#include <stdint.h>

struct scenes_counts {
	uint32_t scenes; // as people hand digits in
	uint32_t outliers; // close-ups of what is no digit
};

// The data with what core/picture finds in composed pictures: digits with their labels, and other things as LENET5_NO_DIGIT. all is owned:
// free it by idx_free. The result does not depend on the number of threads.
int scenes_add(const struct idx *data, struct scenes_counts n, uint32_t seed, int n_threads, struct idx *all, struct err *e);
