// train: runs a training from a recipe to a weights file. The file depends on recipe, pictures and engine only: not on the number of
// threads, on interruptions or on the time.
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
	const char *measured_as; // "test" or "validation", in names of columns and metadata
	const char *measured_on; // describes the measured pictures, for the metadata
	const char *out; // the weights file; models/record.h lists the files beside it
	bool resume; // continue from the checkpoint; otherwise an existing checkpoint is an error
	int (*stopped)(void); // called about 20 times a second; not 0: save a checkpoint and stop
	FILE *lines; // gets a line per epoch; or NULL
};

enum train_result { TRAIN_FAILED = -1, TRAIN_DONE, TRAIN_STOPPED };

// TRAIN_STOPPED: the checkpoint was written. TRAIN_FAILED: e is set. In both cases `out` is untouched.
enum train_result train_run(const struct train_job *job, struct err *e);

// Splits the training pictures into those to train on and those held out. Both are views of `all`; do not free them.
int train_split(const struct recipe *recipe, const struct idx *all, struct idx *train, struct idx *held_out, struct err *e);
