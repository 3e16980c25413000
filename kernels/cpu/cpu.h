// cpu: the engine that runs anywhere.
#pragma once

#include "core/engine.h"

// isa: "avx512", "avx2", "portable", or NULL for the best that this processor has. An error if it has not.
int cpu_engine_open(const char *isa, struct engine **engine, struct err *e);
