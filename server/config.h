// config: parses flags and environment variables into a struct config. Pure, except that it splits variables in place.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "core/log.h"
#include "server/base/health.h"
#include "server/base/limits.h"
#include "server/compute/models.h"
#include "server/http/http.h"
#include "server/observe/access_log.h"

#include <stdbool.h>
#include <stddef.h>

struct config {
	bool help, version; // if set, the rest is not checked
	struct models_spec models[MODELS_MAX]; // n_models, at least 1; strings are borrowed from argv and environ
	int n_models;
	const char *network; // of a file that does not name one, or NULL
	int min_right; // refuse a model that gets fewer of the ten built-in digits right
	float threshold; // the least confidence of a digit; below 0: what each model's file says
	struct engine_choice engine;
	bool old_cudnn; // the old --cudnn was given instead of --kernels
	enum health_on_loss on_loss;
	struct http_options http; // n_threads 0: one for each processor, at least 2; main sets limits, tables and observer
	int drain_delay_ms; // how long to answer while unready before draining
	bool batch_on_cpu; // use the batcher on the CPU, too
	int n_decoders; // 0: one less than processors, at least 1
	int max_batch; // pictures in a forward pass
	int max_delay_us; // how long a picture waits for more of them while the engine is idle
	enum log_level log_level;
	enum access_log_form access_log;
	struct limits limits;
};

// A flag (--max-body) overrides its variable (LENETD_MAX_BODY), and a variable overrides the default. The variable of a repeatable flag
// (LENETD_MODEL) is split in place. Unknown variables are ignored, since a cluster sets some of that prefix, such as LENETD_PORT. -1: e
// names the flag, the value and what is accepted.
int config_parse(int argc, char *const *argv, char *const *environ, struct config *config, struct err *e);

// Writes the text of --help: every flag with its default.
void config_help(char *text, size_t n_text);

// How many threads decode.
int config_n_decoders(const struct config *config);

// Writes the limits in one line. batched: those of the batcher, too.
void config_limits(const struct config *config, bool batched, char *line, size_t n_line);
