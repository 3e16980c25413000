// golden: what tests read of tests/golden/ and tests/data/. A file that is missing or has another content ends the program.
#pragma once

#include "core/idx.h"
#include "core/lenet5.h"
#include "core/safetensors.h"

enum { GOLDEN_N_PARAMS = 61740 }; // of the largest network

// tests/golden/NET-WHAT.safetensors. The caller frees.
struct safetensors golden_open(const struct lenet5 *net, const char *what);

void golden_floats(const struct safetensors *file, const char *name, size_t n, float *out);

// Every parameter of a file, or every gradient: suffix ".grad", and the prefix of a loss. The centres of 1998 have none: 0.
void golden_params(const struct safetensors *file, const struct lenet5 *net, const char *prefix, const char *suffix, float *to);

// MNIST's first pictures, tests/data/. The caller frees.
struct idx golden_pictures(enum idx_set set);
