// models: the models that are served, by name. A model is immutable and reference-counted, so it can be replaced while requests still
// compute with it. A model is tested before it is served: its scores have to be finite, and it has to read the ten built-in digits.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "server/compute/pass_count.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MODELS_MAX = 32, MODELS_MAX_NAME = 64 };
#define MODELS_NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// A model to serve. Strings are borrowed and outlive the models.
struct models_spec {
	char name[MODELS_MAX_NAME]; // of MODELS_NAME_CHARS, so it needs no escaping in paths, JSON and metrics
	const char *file; // NULL: the built-in model
};

// Counts the requests for a name since start-up, across reloads of its model. Any thread may add and read.
struct models_statistics {
	struct pass_count passes; // that succeeded
	_Atomic uint64_t last_ms; // when the last request was answered, since 1970; 0: none was
	_Atomic uint64_t n_success, success_ns, n_fail, fail_ns; // requests, and their time from the complete request to the answer
	_Atomic uint64_t input_ns, queue_ns, infer_ns, output_ns; // decoding, waiting, computing, writing of those that succeeded
};

struct model {
	char name[MODELS_MAX_NAME];
	char description[256]; // for the log
	struct engine_model *engine_model; // one reference
	float mean, std; // of the input
	struct lenet5_calibration calibration; // the file's, with models_options.threshold
	struct models_statistics *statistics; // of its name; owned by struct models
	atomic_int references;
};
void model_unref(struct model *model); // NULL is fine

struct models;

struct models_options {
	struct engine *engine; // borrowed, outlives the models
	const struct models_spec *specs; // borrowed; n_specs, at least 1, of different names
	int n_specs;
	const char *network; // of a file that does not name one, or NULL
	int min_right; // refuse a model that gets fewer of the ten digits right
	float threshold; // the least confidence of a digit; below 0: what each file says
};

// Loads all models. The first is the default, used where no name is given.
int models_open(const struct models_options *options, struct models **models, struct err *e);
void models_close(struct models *models); // NULL is fine

// A reference to a name's model, NULL if there is no such name. name NULL: the default. Any thread.
struct model *models_get(struct models *models, const char *name);

// Loads a name's file again and replaces the model. -1: the old one stays; e and models_state say why. Blocks while the file is read. One
// thread at a time.
int models_load(struct models *models, const char *name, struct err *e);

// The state of the i-th name, for lists and metrics. False: there is no i-th. Any thread.
struct models_state {
	char name[MODELS_MAX_NAME];
	uint64_t n_loads, n_failures; // since start-up
	struct err failure; // of the last load; an empty message if it succeeded
};
bool models_state(struct models *models, int i, struct models_state *state);

// Derives a name from a file: without directory, .bin and characters that a name may not have.
void models_name_of(const char *file, char name[MODELS_MAX_NAME]);
