// builtin: the trained model that is compiled in (models/relu.bin), for whoever names no file.
#pragma once

#include "core/weights.h"

int builtin_read(struct weights *w, struct err *e);
