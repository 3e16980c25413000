// engines: the one place that chooses what computes. Only the two main.c include it.
#pragma once

#include "core/engine.h"

// why: one line for the log that says what was chosen and for what reason. The caller closes *engine.
int engine_open(const struct engine_choice *choice, struct engine **engine, char *why, int why_bytes, struct err *e);
