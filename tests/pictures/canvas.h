// canvas: a grey picture of floats to compose test pictures on. Its memory is its own; a canvas belongs to one thread at a time.
//
// What is drawn goes to a cover first, by the larger of old and new, so that strokes that overlap do not show through each other;
// canvas_ink lays the cover over the picture as one ink.
#pragma once

#include "core/err.h"
#include "core/image.h"
#include "core/rng.h"

#include <stdbool.h>

struct canvas {
	int width, height;
	float *grey; // (height, width): 0 black to 255 white
	float *cover; // (height, width): 0 to 1
};

// Makes a canvas of one grey level. canvas_close frees it.
int canvas_open(struct canvas *c, int width, int height, float level, struct err *e);
void canvas_close(struct canvas *c);

float canvas_clamp(float v, float low, float high);
bool canvas_chance(struct rng *rng, float p); // true with probability p

// Smooth noise of a point, 0 to 1; its lattice has a spacing of 1.
float canvas_value_noise(float x, float y, uint32_t seed);

// Covers a straight stroke with round ends; the edge is soft over one pixel. Thinner than a pixel is fainter.
void canvas_stroke(struct canvas *c, float x0, float y0, float x1, float y1, float width);
void canvas_cover(struct canvas *c, int x, int y, float alpha); // one pixel, which may lie outside

// Lays the cover over the picture and clears it. grain: 0 for an even ink, to 1 for one that catches only on the paper's tops, as pencil
// does; pixels to a grain.
void canvas_ink(struct canvas *c, float level, float strength, float grain, float grain_pixels, uint32_t seed);

// Draws `from` through a homography, which takes the canvas's pixels to `from`'s: (m0 x + m1 y + m2, m3 x + m4 y + m5) / (m6 x + m7 y + 1).
// Outside of `from` the canvas stays, or with is_endless the nearest pixel of `from` is taken.
void canvas_warp(struct canvas *c, const struct canvas *from, const float m[8], bool is_endless);

int canvas_blur(struct canvas *c, float sigma, struct err *e); // nearly a Gaussian
int canvas_motion(struct canvas *c, float length, float angle, struct err *e); // means along a line
void canvas_add_noise(struct canvas *c, float sigma, struct rng *rng);
void canvas_jpeg(struct canvas *c, int quality); // as JPEG at 1 to 100 loses it: blocks of 8×8, the standard's table for luma
int canvas_expose(const struct canvas *c, struct image *out, struct err *e); // in 8 bits
