// train: a training run from a recipe to a weights file. What comes out depends on recipe, pictures and engine alone: not on
// threads, on how often the run was interrupted and gone on with, or on the hour.
#pragma once

#include "core/engine.h"
#include "core/idx.h"
#include "models/recipe.h"

#include <stdio.h>

// All borrowed for the call.
struct train_job {
	const struct recipe *recipe;
	struct engine *engine;
	int n_threads;
	struct idx train, measured; // from train_split
	const char *measured_as; // "test" or "validation": names the figures
	const char *measured_on; // the same for a person, in the metadata
	const char *out; // the weights file; the run's other files lie beside it (models/record.h)
	bool resume; // go on from the checkpoint; without it, a checkpoint that is there is an error
	int (*stopped)(void); // asked about 20 times a second: not 0 saves a checkpoint and stops
	FILE *lines; // a line an epoch, or NULL
};

enum train_result { TRAIN_FAILED = -1, TRAIN_DONE, TRAIN_STOPPED };

// TRAIN_STOPPED: the checkpoint is written and `out` is not. TRAIN_FAILED, with e set: `out` is as it was.
enum train_result train_run(const struct train_job *job, struct err *e);

// Which of all training pictures are trained on, and which are held out: views into `all`, not to be freed.
int train_split(const struct recipe *recipe, const struct idx *all, struct idx *train, struct idx *held_out, struct err *e);
