// models: what is served, by name. A model is immutable and reference-counted; a name's model can be exchanged for a new one while
// the old one still computes for whoever took it. What is loaded has to show first that it works: its numbers go into the engine,
// compute, and read ten built-in digits.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "server/compute/pass_count.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MODELS_MAX = 32, MODELS_MAX_NAME = 64 };

// One to be served. Strings are borrowed and outlive the models.
struct models_spec {
	char name[MODELS_MAX_NAME]; // for paths and answers: letters, digits, '.', '_' and '-'
	const char *file; // NULL: the built-in model
};

// What was asked of a name since the start, whichever model it stood for. Who answers adds; anybody may read.
struct models_statistics {
	struct pass_count passes; // that did not fail
	_Atomic uint64_t last_ms; // when the last request was answered, since 1970; 0: there was none
	_Atomic uint64_t n_success, success_ns, n_fail, fail_ns; // requests, and their time from whole request to answer
	_Atomic uint64_t input_ns, queue_ns, infer_ns,
		output_ns; // of those that succeeded: parsed, waited, computed, answer written
};

struct model {
	char name[MODELS_MAX_NAME];
	char description[256]; // for the log
	struct engine_model *engine_model; // one reference
	float mean, std; // of the input
	struct models_statistics *statistics; // of its name; the models', and there for as long as they are
	int references; // atomic
};
void model_unref(struct model *model); // NULL is fine

struct models;

struct models_options {
	struct engine *engine; // borrowed, outlives the models
	const struct models_spec *specs; // borrowed; n_specs, at least 1, of different names
	int n_specs;
	const char *network; // of a file that does not say, or NULL
	int min_right; // of the ten digits; a model that reads fewer is refused
};

// Loads all. The first is the one that is served where no name is given.
int models_open(const struct models_options *options, struct models **models, struct err *e);
void models_close(struct models *models); // drops its references; NULL is fine

// A reference, or NULL: no such name. name NULL: the first. Any thread.
struct model *models_get(struct models *models, const char *name);

// Loads a model's file again and exchanges it. -1: the old one stays; e, and models_state, say why. Takes as long as storage does.
// One thread at a time.
int models_load(struct models *models, const char *name, struct err *e);

// What there is to say of the i-th, for lists and metrics. False: there is no i-th.
struct models_state {
	char name[MODELS_MAX_NAME];
	uint64_t n_loads, n_failures; // since the start
	struct err failure; // of the last load, or an empty message
};
bool models_state(struct models *models, int i, struct models_state *state);

// The name that a file has where none is given: without directory and .bin, and without what is not of a name.
void models_name_of(const char *file, char name[MODELS_MAX_NAME]);
