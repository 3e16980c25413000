// builtin: what is compiled in: the trained model (models/relu.bin), for whoever names no file, and ten digits to try a model on.
#pragma once

#include "core/weights.h"

int builtin_read(struct weights *w, struct err *e);

// (10, 28, 28): a 0, a 1 and so on to 9, the first of each among MNIST's test pictures. For MNIST's licence see tests/data/README.md.
const uint8_t *builtin_digits(void);
