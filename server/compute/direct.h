// direct: runs forward passes on the calling threads, for an engine that is quick (core/engine.h). On a CPU, handing a picture to the
// batcher and waking up for its scores costs about as much as computing it (docs/bench.md). There is no queue.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "server/compute/job.h"
#include "server/observe/metrics.h"

struct direct;

// Opens n_callers contexts of `engine`, and counts forward passes in `metrics`. Both are borrowed and have to outlive `direct`.
int direct_open(struct engine *engine, int n_callers, struct metrics *metrics, struct direct **direct, struct err *e);

// Computes jobs and sets their scores, times and result, and error if that is JOB_FAILED. Does not call done(). Does not compute a job
// whose deadline has passed when it would begin. Any thread, at most n_callers at a time.
void direct_compute(struct direct *direct, struct job *const *jobs, int n);

void direct_close(struct direct *direct); // no thread may be computing; NULL is fine
