// fake_engine: an engine for tests of what stands above the seam. It can be held, can fail, and remembers what it was given.
// The scores of a picture are its first ten bytes, so that a test can tell whose they are.
#pragma once

#include "core/engine.h"

#include <stdbool.h>

enum { FAKE_MAX_CALLS = 64 };

struct fake_engine {
	struct engine engine;
	int lost_at; // the call, from 1, in which it becomes lost (core/engine.h); 0: never. Set before it is used
	float shift; // added to all scores, to tell two fakes apart. The same
	int n_calls; // of forward
	int n_pixel_calls; // of them with pixels; counted atomically
	int batches[FAKE_MAX_CALLS]; // pictures in each of the first calls
	int n_models, n_contexts; // that are open; contexts are counted atomically
	bool closed;
};

void fake_engine_init(struct fake_engine *fake);

// A model of no numbers, made through the seam, so that an engine that wraps fakes can make one too.
void fake_engine_model(struct engine *engine, struct engine_model **model);

// From here on forward() waits inside; fake_engine_await returns when one does; release lets it, and all later ones, go on.
void fake_engine_hold(void);
void fake_engine_await(void);
void fake_engine_release(void);

void fake_engine_lose(struct fake_engine *fake); // lost from here on, without a call of forward
void fake_engine_fail(bool fail); // forward() says "the fake has failed"
void fake_engine_score(float score); // forward() gives this as every score; 0: the bytes again
