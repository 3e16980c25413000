// direct: forward passes in the threads that want them, for an engine that is quick (core/engine.h): on a CPU, handing a picture
// to the batcher and waking up for its scores costs about as much as computing it (docs/bench.md). Nobody waits for anybody, so
// there is no queue.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "server/compute/job.h"

struct direct;

// Opens n_callers contexts of `engine`. It and the metrics are borrowed and have to outlive this.
int direct_open(struct engine *engine, int n_callers, const struct job_observer *observer, struct direct **direct, struct err *e);

// Computes jobs as the batcher does, but returns when it is through and calls nobody: each job's scores, times and result, error
// if that is JOB_FAILED. A job that is late when its turn comes is not computed. Any thread, n_callers at a time at most.
void direct_compute(struct direct *direct, struct job *const *jobs, int n);

void direct_close(struct direct *direct); // nobody may be computing; NULL is fine
