// recipe: everything that decides what a training run makes, as data: flat JSON in models/*.json, one field an option on the
// command line, and the same JSON in the metadata of what came out. Values only; any thread may call.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "core/lenet5.h"
#include "models/augment.h"

#include <stdbool.h>
#include <stdint.h>

// RECIPE_PUBLISHED: the paper's steps, 20 passes at lr 0.0005.
enum recipe_schedule { RECIPE_CONSTANT, RECIPE_COSINE, RECIPE_PUBLISHED };

// Stochastic gradient descent, or with rates of the parameters' own from the curvature (engine_trainer_curvature).
enum recipe_optimiser { RECIPE_SGD, RECIPE_SDLM };

struct recipe {
	int network; // as lenet5_at counts
	uint32_t epochs, batch;
	double lr, momentum, weight_decay;
	int schedule; // enum recipe_schedule
	uint32_t warmup; // steps
	double label_smoothing;
	int loss; // enum engine_loss
	double j; // of the loss map
	int optimiser; // enum recipe_optimiser
	double mu; // of sdlm, as is
	uint32_t curvature_pictures; // from so many, the first of each epoch's order, the curvature is estimated before it
	uint32_t seed;
	uint32_t train_pictures; // 0: all
	uint32_t validation; // the last so many training pictures are measured instead of the test set
	struct augment distort;
};

// A field, for whoever lists them: its name in JSON and its help.
struct recipe_field {
	const char *name, *help;
};
enum { RECIPE_N_FIELDS = 23, RECIPE_TEXT = 1024 };
struct recipe_field recipe_field_at(int i);

// Parses the text of a recipe; `name` (a file's) stands before every message. overrides[i] replaces field i unless NULL.
// Refused: what is not one flat JSON object, a field that is unknown, given twice, missing, of the wrong type or out of
// range, or that has no meaning beside the others (a label_smoothing of the loss mse); the message says what is accepted.
int recipe_parse(const char *text, const char *name, const char *const overrides[RECIPE_N_FIELDS], struct recipe *recipe,
		 struct err *e);
int recipe_read(const char *path, const char *const overrides[RECIPE_N_FIELDS], struct recipe *recipe, struct err *e);

// As compact JSON, in the table's order, without what only some recipes need and this one does not; recipe_parse gives the same
// recipe back.
void recipe_print(const struct recipe *recipe, char text[RECIPE_TEXT]);

// Field i's value as text, a word without its quotes: "0.01", "relu".
enum { RECIPE_VALUE = 64 };
void recipe_value(const struct recipe *recipe, int i, char text[RECIPE_VALUE]);

// Whether two recipes are the same; if not, e names the first field that differs and both values.
bool recipe_equal(const struct recipe *a, const struct recipe *b, struct err *e);

// The learning rate of a step (0 is the first) out of n_steps.
float recipe_rate(const struct recipe *recipe, uint64_t step, uint64_t n_steps);
