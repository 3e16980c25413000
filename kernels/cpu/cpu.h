// cpu: the engine on the CPU.
#pragma once

#include "core/engine.h"

// isa: "avx512", "avx2" or "portable", or NULL for the best that this processor has. Fails where the processor lacks it.
int cpu_engine_open(const char *isa, struct engine **engine, struct err *e);
