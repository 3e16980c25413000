// model: what is served: a name, and parameters in an engine. Immutable, reference-counted through its engine_model.
#pragma once

#include "core/engine.h"
#include "core/err.h"

struct model {
	char name[64]; // for answers: the file's name without directory and .bin
	char description[256]; // for the log
	struct engine_model *engine_model; // one reference
};

// Reads a file (NULL: the built-in model) and hands its parameters to the engine. network: of a file that does not say,
// or NULL. model_close gives the reference back.
int model_open(struct engine *engine, const char *path, const char *network, struct model *model, struct err *e);
void model_close(struct model *model);
