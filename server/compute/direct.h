// direct: forward passes on the calling threads, for an engine that is quick (core/engine.h). On a CPU, handing a picture to the
// batcher and waking up for its scores costs about as much as computing it (docs/bench.md). There is no queue.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "server/compute/job.h"

struct direct;

// Opens n_callers contexts of `engine`, which is borrowed and has to outlive them.
int direct_open(struct engine *engine, int n_callers, const struct job_observer *observer, struct direct **direct, struct err *e);

// Computes jobs and returns when all have their scores, times and result, and error if that is JOB_FAILED; does not call done(). A
// job whose deadline has passed when its turn comes is not computed. Any thread, at most n_callers at a time.
void direct_compute(struct direct *direct, struct job *const *jobs, int n);

void direct_close(struct direct *direct); // no thread may be computing; NULL is fine
