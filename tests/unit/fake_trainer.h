// fake_trainer: an engine that only pretends to train. Its parameters move by what it was given (pictures, order, rates, momentum), so that
// any difference in those shows in the bits at the end. One at a time.
#pragma once

#include "core/engine.h"

struct fake_training {
	int n_calls, n_steps; // of trainer_steps, and in them
	int n_reads, n_contexts; // parameters read; contexts opened
	int fail_at, nan_at; // the call at which the engine fails, the step whose loss is no number; 0: never
};
extern struct fake_training fake_training;
extern struct engine fake_trainer;
