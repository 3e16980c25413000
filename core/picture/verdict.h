// verdict: what a network says of a picture's candidates, put together: one digit, or none and why. Pure; any thread.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "core/image.h"
#include "core/lenet5.h"
#include "core/picture/candidates.h"

enum verdict_reason {
	VERDICT_DIGIT,
	VERDICT_BLANK, // nothing stands out from the ground
	VERDICT_NO_DIGIT, // what stands out is not a digit
	VERDICT_SEVERAL, // more than one digit
	VERDICT_SMALL, // what stands out has too few pixels to tell
	VERDICT_BLURRED, // its strokes run into each other
	VERDICT_N_REASONS
};

struct verdict {
	enum verdict_reason reason;
	int candidate; // the one that is the picture's digit, or is likest to one; −1 with VERDICT_BLANK
	struct lenet5_prediction prediction; // of that one; less sure than the network's if the picture holds much else
};

// "digit", "blank", "no digit", "several digits", "too small" or "too blurred"; and a sentence for the sender of the picture.
const char *verdict_name(enum verdict_reason reason);
const char *verdict_sentence(enum verdict_reason reason);

// predictions: (n), a network's of each candidate. threshold: the least confidence of a digit.
struct verdict verdict_of(const struct candidate *at, int n, const struct lenet5_prediction *predictions, float threshold);

// Finds a picture's candidates, computes them in one pass and puts together what the model says. context: with room for CANDIDATES_MAX
// pictures. After −1, for want of memory or of an engine, e is set.
int verdict_read(const struct image *image, struct engine_context *context, const struct engine_model *model,
		 struct lenet5_calibration calibration, struct verdict *verdict, struct err *e);

// The same, and fills the candidates and how they were found (candidates_search).
struct steps;
int verdict_read_steps(const struct image *image, struct engine_context *context, const struct engine_model *model,
		       struct lenet5_calibration calibration, struct steps *steps, struct candidates *candidates,
		       struct verdict *verdict, struct err *e);
