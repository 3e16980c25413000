// job: some pictures of one request on their way through an engine. Routes turn bytes into jobs and jobs' results into answers; the
// batcher (batcher.h) or the calling thread (direct.h) computes them. Jobs of any routes share forward passes.
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
	JOB_STOPPED, // the daemon is going down
};

// In the caller's memory, which must not be touched while the job is queued or computed.
struct job {
	struct engine_model *model; // borrowed; the caller's reference holds it
	const float *ink; // (n, 28, 28), finite; or NULL, then pixels are used
	const uint8_t *pixels; // (n, 28, 28)
	float *scores; // (n, 10), the result
	int n; // at least 1
	int64_t deadline_us; // clock_now_ns, in microseconds
	const atomic_bool *gone; // true: the client has disconnected, and the job is dropped unless it has begun; or NULL
	// Called once for a submitted job, on another thread, without locks; the job then belongs to the caller again.
	void (*done)(struct job *job);
	enum job_result result;
	struct err error; // if JOB_FAILED
	int64_t started_ns, finished_ns; // clock_now_ns when it began, or was dropped, and when its last pass ended; 0: it did not
	struct pass_count *passes; // adds passes that succeed; borrowed, or NULL

	// The batcher's own.
	int64_t arrival_us;
	int n_taken, n_scored;
	struct job *next;
};

// Called for each forward pass, on the thread that ran it.
struct job_observer {
	void (*passed)(void *arg, int n_pictures); // or NULL
	void *arg;
};
void job_passed(const struct job_observer *observer, int n_pictures);

// Copies the ink of a job's pictures first..first+n-1. ink: (n, 28, 28).
void job_ink(const struct job *job, int first, int n, float *ink);
