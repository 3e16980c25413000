// batcher: gathers pictures of many requests into forward passes. One thread owns an engine context, with a bounded queue in front
// of it. An idle engine computes what is queued at once; while it is busy, the next batch gathers.
#pragma once

#include "server/compute/job.h"

#include <stdbool.h>

struct batcher;

struct batcher_options {
	int max_batch; // pictures in a forward pass; larger jobs are split
	int max_delay_us; // how long a picture waits for more of them while the engine is idle
	int queue; // pictures that may wait
	struct job_observer observer;
};

// What to do next: a pure function, apart from the thread that acts on it.
struct batcher_plan {
	int launch; // so many pictures now, or 0
	int64_t wait_us; // if launch is 0: plan again after this time or when something changes; -1: only when something changes
};
struct batcher_plan batcher_plan(const struct batcher_options *options, int n_queued, int64_t oldest_wait_us, bool stopping);

// Opens a context of `engine`, which has to outlive the batcher, and starts the thread.
int batcher_open(struct engine *engine, const struct batcher_options *options, struct batcher **batcher, struct err *e);

// JOB_OK: done will be called, maybe before this returns. JOB_FULL, JOB_STOPPED: it will not. Any thread.
enum job_result batcher_submit(struct batcher *batcher, struct job *job);

int batcher_depth(struct batcher *batcher); // pictures that are waiting; any thread

// Computes what is queued, then ends the thread. From then on submit returns JOB_STOPPED.
void batcher_stop(struct batcher *batcher);

void batcher_close(struct batcher *batcher); // stops it first; no thread may submit any more; NULL is fine
