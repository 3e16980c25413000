// scene: a picture to train on, composed as people hand digits in: paper under uneven light, a desk, frames, ruled lines, blur and noise;
// with one digit, several, or something that is none.
#pragma once

#include "core/err.h"
#include "core/idx.h"
#include "core/image.h"

#include <stdbool.h>
#include <stdint.h>

enum { SCENE_MAX_DIGITS = 3 };

struct scene_digit {
	int digit;
	float left, top, right, bottom; // of its ink, in pixels
};

struct scene {
	struct image image; // owned
	bool is_light; // its ink is lighter than its paper
	int n_digits;
	struct scene_digit digits[SCENE_MAX_DIGITS];
};

// Composes a scene with picture i of the data, and others of it. seed and i decide everything.
int scene_compose(const struct idx *data, uint32_t seed, uint32_t i, struct scene *scene, struct err *e);

// Composes a close-up of what is no digit: a letter, a sign, a figure, a scribble, two digits that touch.
int scene_compose_outlier(const struct idx *data, uint32_t seed, uint32_t i, struct scene *scene, struct err *e);
