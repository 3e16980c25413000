// parallel: divides work on n items among threads.
#pragma once

#include <stdint.h>

// Calls work(context, begin, end) for ranges that together are [0, n), at most n_threads of them, each on a thread; a thread that cannot be
// started has its range done by the caller. Returns when all have returned.
void parallel_run(uint32_t n, int n_threads, void (*work)(void *context, uint32_t begin, uint32_t end), void *context);
