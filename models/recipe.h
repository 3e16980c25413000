// recipe: everything that decides what a training run makes, as data: flat JSON in models/*.json, one field an option on the
// command line, and the same JSON in the metadata of what came out. Values only; any thread may call.
#pragma once

#include "core/err.h"
#include "core/lenet5.h"
#include "models/augment.h"

#include <stdbool.h>
#include <stdint.h>

enum recipe_schedule { RECIPE_CONSTANT, RECIPE_COSINE };

struct recipe {
	int network; // as lenet5_at counts
	uint32_t epochs, batch;
	double lr, momentum, weight_decay;
	int schedule; // enum recipe_schedule
	uint32_t warmup; // steps
	double label_smoothing;
	uint32_t seed;
	uint32_t train_pictures; // 0: all
	uint32_t validation; // the last so many training pictures are measured instead of the test set
	struct augment distort;
};

// A field, for whoever lists them: its name in JSON and its help.
struct recipe_field {
	const char *name, *help;
};
enum { RECIPE_N_FIELDS = 18, RECIPE_TEXT = 1024 };
struct recipe_field recipe_field_at(int i);

// Parses the text of a recipe; `name` (a file's) stands before every message. overrides[i] replaces field i unless NULL.
// Refused: what is not one flat JSON object, a field that is unknown, given twice, missing, of the wrong type or out of
// range; the message says what is accepted.
int recipe_parse(const char *text, const char *name, const char *const overrides[RECIPE_N_FIELDS], struct recipe *recipe,
		 struct err *e);
int recipe_read(const char *path, const char *const overrides[RECIPE_N_FIELDS], struct recipe *recipe, struct err *e);

// All fields as compact JSON, in the table's order; recipe_parse gives the same recipe back.
void recipe_print(const struct recipe *recipe, char text[RECIPE_TEXT]);

// Field i's value as text, a word without its quotes: "0.01", "relu".
enum { RECIPE_VALUE = 64 };
void recipe_value(const struct recipe *recipe, int i, char text[RECIPE_VALUE]);

// Whether two recipes are the same; if not, e names the first field that differs and both values.
bool recipe_equal(const struct recipe *a, const struct recipe *b, struct err *e);

// The learning rate of a step (0 is the first) out of n_steps.
float recipe_rate(const struct recipe *recipe, uint64_t step, uint64_t n_steps);
