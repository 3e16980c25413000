// batcher: gathers pictures from many requests into forward passes. One thread that owns an engine context, and a bounded
// queue in front of it. Work-conserving: an idle engine is given what is there at once; while it is busy, more gathers.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "server/work.h"
#include "server/metrics.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct batcher;

enum batcher_result {
	BATCHER_OK,
	BATCHER_FULL, // the queue has no room for the job
	BATCHER_LATE, // the deadline passed before the engine was free
	BATCHER_GONE, // nobody wanted it any more
	BATCHER_FAILED, // the engine could not; error says why
	BATCHER_STOPPED,
};

// Some pictures of one request. The caller's memory, all of it, and untouchable between submit and done.
struct batcher_job {
	struct engine_model *model; // borrowed; the caller's reference holds it
	const float *ink; // (n, 28, 28), finite; or NULL, and pixels count
	const uint8_t *pixels; // (n, 28, 28)
	float *scores; // (n, 10), written before done
	int n; // at least 1
	int64_t deadline_us; // clock_now_ns, in microseconds
	const atomic_bool *gone; // true: not wanted any more, and not computed if it is not at it already; NULL: is wanted
	void (*done)(struct batcher_job *); // once, on the batcher's thread, without locks; the job is the caller's again
	enum batcher_result result; // for done
	struct err error; // if BATCHER_FAILED
	int64_t started_ns, finished_ns; // clock_now_ns when its turn came and when its last pass was through; 0: that was not
	struct work *work; // counts passes that did not fail; borrowed, or NULL

	// The batcher's own.
	int64_t arrival_us;
	int n_taken, n_scored;
	struct batcher_job *next;
};

struct batcher_options {
	int max_batch; // pictures in a forward pass; jobs with more are split
	int max_delay_us; // how long a picture waits for company while the engine is idle
	int queue; // pictures that may wait
	struct metrics *metrics; // borrowed
};

// The decision, apart from the thread that acts on it.
struct batcher_plan {
	int launch; // so many pictures now, or 0
	int64_t wait_us; // if 0: look again after that, or when something changes; -1: only then
};
struct batcher_plan batcher_plan(const struct batcher_options *options, int n_queued, int64_t oldest_wait_us, bool stopping);

// Opens a context of `engine`, which has to outlive the batcher, and starts the thread.
int batcher_open(struct engine *engine, const struct batcher_options *options, struct batcher **batcher, struct err *e);

// BATCHER_OK: done will be called, maybe before this returns. BATCHER_FULL, BATCHER_STOPPED: it will not. Any thread.
enum batcher_result batcher_submit(struct batcher *batcher, struct batcher_job *job);

int batcher_depth(struct batcher *batcher); // pictures that wait now; any thread

// Computes what is queued, then ends the thread. From here on submit says BATCHER_STOPPED.
void batcher_stop(struct batcher *batcher);

void batcher_close(struct batcher *batcher); // stops it first; nobody may submit any more; NULL is fine

// The ink of a job's pictures first..first+n-1: (n, 28, 28).
void batcher_job_ink(const struct batcher_job *job, int first, int n, float *ink);
