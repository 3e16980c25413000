// digit: turns a grey picture of one digit into what the networks were trained on: MNIST's 28×28, light ink on a dark
// ground, the digit scaled into 20×20 and centred by its mass (http://yann.lecun.com/exdb/mnist/). Pure; any thread.
#pragma once

#include "core/err.h"
#include "core/image.h"
#include "core/lenet5.h"

#include <stdint.h>

enum digit_result {
	DIGIT_OK,
	DIGIT_BLANK, // nothing stands out from the ground
};

// pixels: (28, 28). A 28×28 picture with light ink on a dark ground is taken as it is, bit for bit; every other is
// normalised: polarity, crop, 20×20 with its aspect kept, centre of mass. Unless DIGIT_OK, e says why in words for the
// sender and pixels is untouched.
enum digit_result digit_from_image(const struct image *image, uint8_t pixels[LENET5_PIXELS], struct err *e);
