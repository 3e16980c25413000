// record: the files that a training run writes beside its result. For OUT = DIR/NAME.bin:
//   DIR/NAME.steps.csv    one line per step: step, epoch, pictures seen, learning rate, loss
//   DIR/NAME.epochs.csv   one line per epoch: epoch, mean training loss, accuracy and loss on the measured pictures
//   DIR/NAME.checkpoint   the state of an unfinished run, as a weights file with momentum
// Other programs may read all of them during the run. A struct record belongs to one thread.
#pragma once

#include "core/err.h"
#include "models/measure.h"
#include "models/recipe.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// The first lines of both CSV files, as csv_read takes them, and their columns.
#define RECORD_STEPS_HEAD "step,epoch,pictures,rate,loss"
#define RECORD_EPOCHS_HEAD "epoch,train_loss,*_accuracy,*_loss"
enum { RECORD_STEPS_STEP, RECORD_STEPS_EPOCH, RECORD_STEPS_PICTURES, RECORD_STEPS_RATE, RECORD_STEPS_LOSS };
enum { RECORD_EPOCHS_EPOCH, RECORD_EPOCHS_TRAIN_LOSS, RECORD_EPOCHS_ACCURACY, RECORD_EPOCHS_LOSS };

struct record {
	char *steps_path, *epochs_path, *checkpoint_path;
	FILE *steps, *epochs; // NULL until record_begin
};

// Makes the paths. Refuses an `out` that exists and is not a regular file.
int record_init(struct record *record, const char *out, struct err *e);
void record_fini(struct record *record); // allowed after a failed record_init, and for a zeroed record

// Opens both CSV files and truncates them after the first line and n_steps or n_epochs more; fewer lines are an error. `measured`,
// "test" or "validation", names the columns.
int record_begin(struct record *record, const char *measured, uint64_t n_steps, uint64_t n_epochs, struct err *e);

int record_step(struct record *record, uint64_t step, uint32_t epoch, uint64_t seen, float rate, float loss, struct err *e);
int record_epoch(struct record *record, uint32_t epoch, double loss, const struct measure *measure, struct err *e);

// Writes buffered lines to the files, and with `to_disk` the files to the disk.
int record_flush(struct record *record, bool to_disk, struct err *e);

// Reads the recipe in the metadata of a weights file or checkpoint.
int record_recipe(const char *weights, struct recipe *recipe, struct err *e);
