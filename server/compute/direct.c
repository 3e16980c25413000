// The idle contexts are a stack: the memory of the one used last is still in a cache.
#include "server/compute/direct.h"

#include "core/clock.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PASS = 16 }; // pictures; more would not be faster, and take more memory a caller

struct direct {
	struct job_observer observer;
	pthread_mutex_t lock;
	int n_idle; // lock
	struct engine_context *idle[]; // lock
};

int direct_open(struct engine *engine, int n_callers, const struct job_observer *observer, struct direct **direct, struct err *e)
{
	struct direct *d = calloc(1, sizeof *d + (size_t)n_callers * sizeof(struct engine_context *));
	if (!d)
		return err_set(e, "no memory for %d callers", n_callers);
	pthread_mutex_init(&d->lock, NULL);
	d->observer = *observer;
	while (d->n_idle < n_callers) {
		if (engine_context_open(engine, PASS, 1, &d->idle[d->n_idle], e)) {
			direct_close(d);
			return -1;
		}
		d->n_idle++;
	}
	*direct = d;
	return 0;
}

static struct engine_context *acquire_context(struct direct *d)
{
	pthread_mutex_lock(&d->lock);
	assert(d->n_idle > 0);
	struct engine_context *context = d->idle[--d->n_idle];
	pthread_mutex_unlock(&d->lock);
	return context;
}

static void release_context(struct direct *d, struct engine_context *context)
{
	pthread_mutex_lock(&d->lock);
	d->idle[d->n_idle++] = context;
	pthread_mutex_unlock(&d->lock);
}

// Pictures of one model, to be computed together.
struct pass {
	int n;
	struct job *jobs[PASS]; // each picture's job
	float *scores[PASS]; // where each picture's scores go
};

static void compute(struct direct *d, struct engine_context *context, struct pass *pass)
{
	float scores[PASS * LENET5_DIGITS];
	struct err e;
	if (pass->n == 0)
		return;
	int64_t started_ns = clock_now_ns();
	bool failed = engine_forward(context, pass->jobs[0]->model, engine_context_ink(context), pass->n, scores, &e) != 0;
	int64_t finished_ns = clock_now_ns();
	for (int i = 0; i < pass->n; i++) {
		struct job *job = pass->jobs[i];
		memcpy(pass->scores[i], &scores[i * LENET5_DIGITS], LENET5_DIGITS * sizeof *scores);
		if (!job->started_ns)
			job->started_ns = started_ns;
		job->finished_ns = finished_ns;
		if (failed) {
			job->result = JOB_FAILED;
			job->error = e;
		}
	}
	job_passed(&d->observer, pass->n);
	if (!failed && pass->jobs[0]->passes)
		pass_count_add(pass->jobs[0]->passes, pass->n);
	pass->n = 0;
}

void direct_compute(struct direct *d, struct job *const *jobs, int n)
{
	struct engine_context *context = acquire_context(d);
	float *ink = engine_context_ink(context);
	struct pass pass = { .n = 0 };
	for (int i = 0; i < n; i++) {
		struct job *job = jobs[i];
		int64_t now_ns = clock_now_ns();
		bool late = job->deadline_us <= now_ns / 1000;
		job->result = late ? JOB_LATE : JOB_OK;
		job->started_ns = late ? now_ns : 0;
		job->finished_ns = 0;
		for (int k = 0; k < job->n && !late; k++) {
			if (pass.n == PASS || (pass.n && pass.jobs[0]->model != job->model))
				compute(d, context, &pass);
			job_ink(job, k, 1, ink + pass.n * LENET5_PIXELS);
			pass.scores[pass.n] = job->scores + (size_t)k * LENET5_DIGITS;
			pass.jobs[pass.n++] = job;
		}
	}
	compute(d, context, &pass);
	release_context(d, context);
}

void direct_close(struct direct *d)
{
	if (!d)
		return;
	while (d->n_idle > 0)
		engine_context_close(d->idle[--d->n_idle]);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
