// engines: the one place that chooses what computes. Only the two main.c include it.
#pragma once

#include "core/engine.h"
#include "kernels/standby.h"

// why: one line for the log that says what was chosen and for what reason. The caller closes *engine.
int engine_open(const struct engine_choice *choice, struct engine **engine, char *why, int why_bytes, struct err *e);

// The same for those who must answer: if it is a GPU, the CPU stands by (kernels/standby.h). If it is the CPU, *engine is that
// alone, and the watch is not used.
int engine_open_with_standby(const struct engine_choice *choice, const struct standby_watch *watch, struct engine **engine,
			     char *why, int why_bytes, struct err *e);
