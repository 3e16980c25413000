// recipe: all the settings of a training run. It is flat JSON in models/*.json and in the metadata of trained files; on the command
// line each field is an option. Pure functions; any thread may call.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "core/lenet5.h"
#include "models/augment.h"

#include <stdbool.h>
#include <stdint.h>

// RECIPE_PUBLISHED: the paper's steps, 20 passes at lr 0.0005.
enum recipe_schedule { RECIPE_CONSTANT, RECIPE_COSINE, RECIPE_PUBLISHED };

// RECIPE_SDLM: gradient descent with a rate for each parameter, from the curvature (engine_trainer_curvature).
enum recipe_optimiser { RECIPE_SGD, RECIPE_SDLM };

struct recipe {
	int network; // for lenet5_at
	uint32_t epochs, batch;
	double lr, momentum, weight_decay;
	int schedule; // enum recipe_schedule
	uint32_t warmup; // steps
	double label_smoothing;
	int loss; // enum engine_loss
	double j; // of the loss ENGINE_MAP
	int optimiser; // enum recipe_optimiser
	double mu; // of sdlm
	uint32_t curvature_pictures; // of sdlm: the first N of each epoch's order, to estimate the curvature on
	uint32_t seed;
	uint32_t train_pictures; // 0: all
	uint32_t validation; // the last N training pictures are measured instead of the test set; 0: none
	uint32_t scenes, outliers; // composed and added to the training pictures (models/scenes.h)
	struct augment distort;
};

// The name of a field in JSON, and its help.
struct recipe_field {
	const char *name, *help;
};
enum { RECIPE_N_FIELDS = 25, RECIPE_TEXT = 1024 };
struct recipe_field recipe_field_at(int i);

// Parses the text of a recipe; `name`, the file's, begins every message. overrides[i], unless NULL, replaces the value of field i.
// Refuses anything but one flat JSON object, and fields that are unknown, given twice, missing, of the wrong type, out of range, or
// without effect beside the others (label_smoothing with the loss mse). The message says what is accepted.
int recipe_parse(const char *text, const char *name, const char *const overrides[RECIPE_N_FIELDS], struct recipe *recipe,
		 struct err *e);
int recipe_read(const char *path, const char *const overrides[RECIPE_N_FIELDS], struct recipe *recipe, struct err *e);

// recipe_read_text reads a text file of at most 64 KiB; the caller frees *text. recipe_read_object parses a JSON object, which the
// caller deletes; it returns NULL, with e set, if the text is not one. The message shows `example`.
int recipe_read_text(const char *path, char **text, struct err *e);
struct cJSON *recipe_read_object(const char *text, const char *name, const char *example, struct err *e);

// Prints compact JSON that recipe_parse reads back. Leaves out fields that only some recipes need where they have their default.
void recipe_print(const struct recipe *recipe, char text[RECIPE_TEXT]);

// The value of field i as text, without quotes: "0.01", "relu".
enum { RECIPE_VALUE = 64 };
void recipe_value(const struct recipe *recipe, int i, char text[RECIPE_VALUE]);

// Whether two recipes are equal; if not, e names the first field that differs, with both values.
bool recipe_equal(const struct recipe *a, const struct recipe *b, struct err *e);

// The learning rate of step `step`, counted from 0, of n_steps.
float recipe_rate(const struct recipe *recipe, uint64_t step, uint64_t n_steps);
