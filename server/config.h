// config: flags and environment variables → struct config. A function of both; touches nothing else.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "core/log.h"
#include "server/observe/access_log.h"
#include "server/http/admission.h"
#include "server/base/health.h"
#include "server/base/limits.h"
#include "server/http/listen.h"
#include "server/compute/models.h"

#include <stdbool.h>
#include <stddef.h>

struct config {
	bool help, version; // asked for; nothing else counts then
	struct models_spec models[MODELS_MAX]; // n_models, at least 1; strings are borrowed from argv and environ
	int n_models;
	const char *network; // of a file that does not say, or NULL
	int min_right; // of ten built-in digits, that a model has to read
	struct engine_choice engine;
	bool old_cudnn; // --cudnn was given, which is now --kernels
	enum health_on_loss on_loss;
	struct listen_spec listen;
	struct admission_names hosts, origins; // borrowed as above
	const char *api_keys; // a file, or NULL
	const char *tls_cert, *tls_key; // files, or both NULL
	int drain_delay_ms; // from unready to no more connections
	bool batch_on_cpu; // pictures go through the batcher there, too
	int max_batch; // pictures that the engine is given at once
	int max_delay_us; // how long a picture waits for company while the engine is idle
	int http_threads; // 0: one a processor, at least 2
	enum log_level log_level;
	enum access_log_form access_log;
	struct limits limits;
};

// A flag goes before its variable (--max-body, LENETD_MAX_BODY), a variable before the default. A variable that holds several words
// (LENETD_MODEL) is cut up where it stands. Unknown variables are none of our business (a cluster may set LENETD_PORT). The message
// of -1 names the flag, the value and what is accepted.
int config_parse(int argc, char *const *argv, char *const *environ, struct config *config, struct err *e);

// What --help prints, into `text`: every flag with its default.
void config_help(char *text, size_t n_text);

// The limits in one line. batched: pictures go through the batcher, so that its limits are among them.
void config_limits(const struct config *config, bool batched, char *line, size_t n_line);
