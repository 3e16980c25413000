// builtin: data compiled into the programs: a trained model (models/best.bin), used where no file is named, and ten digits to test a
// model with. Constant; any thread.

#pragma once

#include "core/weights.h"

// Reads the model. weights_free frees w's memory.
int builtin_read(struct weights *w, struct err *e);

// (10, 28, 28): a 0, a 1 and so on to 9, the first of each among MNIST's test pictures. For MNIST's licence see tests/data/README.md.
const uint8_t *builtin_digits(void);
