// record: the files that a training run leaves beside its result. For OUT = DIR/NAME.bin:
//   DIR/NAME.steps.csv    a line a step: step, epoch, pictures seen, learning rate, loss
//   DIR/NAME.epochs.csv   a line an epoch: epoch, mean training loss, accuracy and loss of what is measured
//   DIR/NAME.checkpoint   where the run stands, as a weights file with momentum; there only while the run is unfinished
// All can be read while the run goes on. Belongs to one thread.
#pragma once

#include "core/err.h"
#include "models/measure.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// The heads of both, as csv_read takes them, and their columns.
#define RECORD_STEPS_HEAD "step,epoch,pictures,rate,loss"
#define RECORD_EPOCHS_HEAD "epoch,train_loss,*_accuracy,*_loss"
enum { RECORD_STEPS_STEP, RECORD_STEPS_EPOCH, RECORD_STEPS_PICTURES, RECORD_STEPS_RATE, RECORD_STEPS_LOSS };
enum { RECORD_EPOCHS_EPOCH, RECORD_EPOCHS_TRAIN_LOSS, RECORD_EPOCHS_ACCURACY, RECORD_EPOCHS_LOSS };

struct record {
	char *steps_path, *epochs_path, *checkpoint_path;
	FILE *steps, *epochs; // NULL until record_begin
};

// Refused: an `out` that is there and is no regular file.
int record_init(struct record *record, const char *out, struct err *e);
void record_fini(struct record *record); // fine after a failed record_init, and for a zeroed one

// Opens both CSV files and cuts them back to n_steps and n_epochs lines under their heads. Lines that are missing there are
// an error. `measured` ("test", "validation") names the columns.
int record_begin(struct record *record, const char *measured, uint64_t n_steps, uint64_t n_epochs, struct err *e);

int record_step(struct record *record, uint64_t step, uint32_t epoch, uint64_t seen, float rate, float loss, struct err *e);
int record_epoch(struct record *record, uint32_t epoch, double loss, const struct measure *measure, struct err *e);

// Hands the lines to the system, for whoever watches; `to_disk`: and on to the disk.
int record_flush(struct record *record, bool to_disk, struct err *e);
