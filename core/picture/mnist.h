// mnist: the form of MNIST's pictures (http://yann.lecun.com/exdb/mnist/): 28×28, light ink on a ground of 0, the digit scaled to 20×20 and
// centred by its mass. Pure; any thread.
#pragma once

#include "core/image.h"

#include <stdbool.h>

// Whether a picture needs no preparation: 28×28, its border mostly 0, with ink in it.
bool mnist_is_its_form(const struct image *image);
