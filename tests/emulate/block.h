// emulate_block: one block of a kernel, for emulate.cc.
#pragma once

#include "tests/emulate/device.h"

enum { EMULATE_MAX_THREADS = 1024 };

// Runs a block of n ≤ EMULATE_MAX_THREADS threads to its end; blockIdx, blockDim and gridDim say which block. The first
// shared_bytes of cuda_shared begin as NaNs.
void emulate_block(const std::function<void()> &kernel, int n, size_t shared_bytes);
