// explain: writes how a picture was read into the answer to /predict?explain=steps. No state; any thread.
#pragma once

#include "core/picture/steps.h"
#include "core/text.h"

// Of a request; each takes some milliseconds, and until its answer at most so much memory: three looks of up to 512×512 pixels.
enum { EXPLAIN_MAX_PICTURES = 4, EXPLAIN_PICTURE_BYTES = 8 << 20 };

// Appends , "box": […] of the candidate. scale_x, scale_y: as for steps_box.
void explain_write_box(struct text *t, const struct candidate *candidate, double scale_x, double scale_y);

// Appends , "steps": […] to the candidate, or with −1 those to a blank picture. pixels: (28, 28) of the candidate. Marks the text as failed
// for want of memory.
void explain_write_steps(struct text *t, const struct steps *steps, int candidate, const uint8_t *pixels);
