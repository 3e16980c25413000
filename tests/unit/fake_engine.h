// fake_engine: an engine for tests of what stands above the seam. It can be held, can fail, and remembers what it was given.
// The scores of a picture are its first ten bytes, so that a test can tell whose they are.
#pragma once

#include "core/engine.h"

#include <stdbool.h>

enum { FAKE_MAX_CALLS = 64 };

struct fake_engine {
	struct engine engine;
	int n_calls; // of forward
	int batches[FAKE_MAX_CALLS]; // pictures in each of the first calls
	int n_models, n_contexts; // that are open
};

void fake_engine_init(struct fake_engine *fake);
void fake_engine_model(struct fake_engine *fake, struct engine_model **model);

// From here on forward() waits inside; fake_engine_await returns when one does; release lets it, and all later ones, go on.
void fake_engine_hold(void);
void fake_engine_await(void);
void fake_engine_release(void);

void fake_engine_fail(bool fail); // forward() says "the fake has failed"
void fake_engine_score(float score); // forward() gives this as every score; 0: the bytes again
