// pass_count: the pictures and the forward passes of one model since start-up. The thread that runs a pass adds to it; any thread
// may read it.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct pass_count {
	_Atomic uint64_t pictures, passes;
};

static inline void pass_count_add(struct pass_count *count, int n_pictures)
{
	atomic_fetch_add_explicit(&count->pictures, (uint64_t)n_pictures, memory_order_relaxed);
	atomic_fetch_add_explicit(&count->passes, 1, memory_order_relaxed);
}
