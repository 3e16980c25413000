// engines: which engines the tests of the seam run on. TEST_ENGINE names one: "cpu", "cuda" (our own kernels), "cudnn" or
// "tf32". Without it, each instruction set of the CPU engine that this processor has.
#pragma once

#include "core/engine.h"

// One after the other; NULL past the last. *i is 0 at first. The caller closes.
struct engine *engines_next(int *i);

// The one that TEST_ENGINE names, or the CPU's best. The caller closes. Ends the program where it cannot be had.
struct engine *engines_open(void);
