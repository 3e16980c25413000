// work: what an engine was given for a model since the start. Who gives it something adds; anybody may read.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct work {
	_Atomic uint64_t pictures, passes; // and the forward passes that they shared
};

static inline void work_add(struct work *work, int n_pictures)
{
	atomic_fetch_add_explicit(&work->pictures, (uint64_t)n_pictures, memory_order_relaxed);
	atomic_fetch_add_explicit(&work->passes, 1, memory_order_relaxed);
}
