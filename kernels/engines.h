// engines: chooses the engine. Only the two main.c include it.
#pragma once

#include "core/engine.h"
#include "kernels/standby.h"

// why: one line for the log that says what was chosen and for what reason. The caller closes *engine.
int engine_open(const struct engine_choice *choice, struct engine **engine, char *why, int why_bytes, struct err *e);

// The same for a server: if the choice is a GPU, the CPU stands by (kernels/standby.h). If it is the CPU, *engine is the CPU's
// alone and the watch is not used.
int engine_open_with_standby(const struct engine_choice *choice, const struct standby_watch *watch, struct engine **engine,
			     char *why, int why_bytes, struct err *e);
