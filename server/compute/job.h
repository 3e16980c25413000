// job: some pictures of one request on their way to an engine and back. Routes make jobs of bytes, and answers of jobs' results;
// the batcher (batcher.h) or the threads that ask (direct.h) compute them, and jobs of any routes share forward passes.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "server/compute/pass_count.h"

#include <stdatomic.h>
#include <stdint.h>

enum job_result {
	JOB_OK,
	JOB_FULL, // the queue has no room for the job
	JOB_LATE, // the deadline passed before the engine was free
	JOB_GONE, // the client has disconnected
	JOB_FAILED, // the engine failed; error says why
	JOB_STOPPED, // the daemon goes down
};

// The caller's memory, all of it, and untouchable while it is computed or queued.
struct job {
	struct engine_model *model; // borrowed; the caller's reference holds it
	const float *ink; // (n, 28, 28), finite; or NULL, and pixels count
	const uint8_t *pixels; // (n, 28, 28)
	float *scores; // (n, 10), the result
	int n; // at least 1
	int64_t deadline_us; // clock_now_ns, in microseconds
	const atomic_bool *gone; // true: the client has disconnected, and the job is dropped if its turn has not come; or NULL
	void (*done)(struct job *); // of a job that is submitted: once, on another thread, without locks; it is the caller's again
	enum job_result result;
	struct err error; // if JOB_FAILED
	int64_t started_ns, finished_ns; // clock_now_ns when its turn came and when its last pass was through; 0: that was not
	struct pass_count *passes; // counts passes that did not fail; borrowed, or NULL

	// The batcher's own.
	int64_t arrival_us;
	int n_taken, n_scored;
	struct job *next;
};

// Who is told of each forward pass, on the thread that ran it.
struct job_observer {
	void (*passed)(void *arg, int n_pictures); // NULL: no one
	void *arg;
};
void job_passed(const struct job_observer *observer, int n_pictures);

// The ink of a job's pictures first..first+n-1: (n, 28, 28).
void job_ink(const struct job *job, int first, int n, float *ink);
