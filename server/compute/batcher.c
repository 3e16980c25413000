// The queue is a linked list of jobs in their requests' memory, so nothing is allocated after batcher_open. Pictures are taken from
// its head until a batch is full: small jobs share a batch, and a big one is split over several. Only the head can be partly taken.
// A batch is a list of pieces of jobs; its pictures and scores have buffers of their own.
#include "server/compute/batcher.h"

#include "core/clock.h"
#include "core/thread.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { N_PIXELS = LENET5_PIXELS, N_SCORES = LENET5_DIGITS };

// Pictures first..first+n-1 of a job.
struct piece {
	struct job *job;
	int first, n;
};

struct batcher {
	struct batcher_options options;
	struct thread thread; // its lock guards the queue
	struct job *head, **tail; // lock
	int n_queued; // lock; pictures in the list that are in no batch yet

	// The thread's own.
	struct engine_context *context;
	float *scores; // (max_batch, 10)
	struct piece *pieces; // [max_batch]
	int n_pieces, n_batch;
};

struct batcher_plan batcher_plan(const struct batcher_options *options, int n_queued, int64_t oldest_wait_us, bool stopping)
{
	if (n_queued == 0)
		return (struct batcher_plan){ 0, -1 };
	if (n_queued >= options->max_batch)
		return (struct batcher_plan){ options->max_batch, 0 };
	if (stopping || oldest_wait_us >= options->max_delay_us)
		return (struct batcher_plan){ n_queued, 0 };
	return (struct batcher_plan){ 0, options->max_delay_us - oldest_wait_us };
}

static struct job *pop(struct batcher *b)
{
	struct job *job = b->head;
	b->head = job->next;
	if (!b->head)
		b->tail = &b->head;
	b->n_queued -= job->n - job->n_taken;
	return job;
}

// Whether a job that has not begun is not to be computed; its result then says why.
static bool is_dropped(struct job *job, int64_t now)
{
	if (job->n_taken)
		return false;
	job->result = job->gone && atomic_load(job->gone) ? JOB_GONE : job->deadline_us <= now ? JOB_LATE : JOB_OK;
	return job->result != JOB_OK;
}

// Waits for the next batch and takes it off the queue. Jobs that need no computing go to the list *dropped.
// False: stopping, and the queue is empty.
static bool take_batch(struct batcher *b, struct job **dropped)
{
	pthread_mutex_lock(&b->thread.lock);
	struct batcher_plan plan;
	int64_t now;
	for (;;) {
		now = clock_now_ns() / 1000;
		plan = batcher_plan(&b->options, b->n_queued, b->head ? now - b->head->arrival_us : 0, b->thread.stopping);
		if (plan.launch || b->thread.stopping)
			break;
		thread_wait(&b->thread, plan.wait_us < 0 ? INT64_MAX : (now + plan.wait_us) * 1000);
	}

	b->n_pieces = b->n_batch = 0;
	while (b->head && b->n_batch < plan.launch) {
		struct job *job = b->head;
		if (is_dropped(job, now)) {
			pop(b);
			job->started_ns = now * 1000;
			job->next = *dropped;
			*dropped = job;
			continue;
		}
		if (b->n_pieces && job->model != b->pieces[0].job->model)
			break;
		int room = plan.launch - b->n_batch, rest = job->n - job->n_taken;
		struct piece piece = { job, job->n_taken, rest < room ? rest : room };
		if (piece.n == rest)
			pop(b);
		else
			b->n_queued -= piece.n;
		job->n_taken += piece.n;
		b->pieces[b->n_pieces++] = piece;
		b->n_batch += piece.n;
	}
	pthread_mutex_unlock(&b->thread.lock);
	return plan.launch > 0;
}

static void finish(struct job *job, enum job_result result)
{
	job->result = result;
	job->done(job);
}

// All jobs of a batch are of one model, and so is their pass_count; probes have none.
static void count_passes(const struct batcher *b)
{
	struct pass_count *passes = NULL;
	int n_counted = 0;
	for (int i = 0; i < b->n_pieces; i++)
		if (b->pieces[i].job->passes) {
			passes = b->pieces[i].job->passes;
			n_counted += b->pieces[i].n;
		}
	if (passes)
		pass_count_add(passes, n_counted);
}

// Copies the batch into the context's memory and computes it: from pixels if the engine reads them and no job has ink, else from ink.
static int forward(struct batcher *b, struct err *e)
{
	const struct engine_model *model = b->pieces[0].job->model;
	uint8_t *pixels = engine_context_pixels(b->context);
	float *ink = engine_context_ink(b->context);
	for (int i = 0; i < b->n_pieces; i++)
		if (b->pieces[i].job->ink)
			pixels = NULL;
	size_t at = 0;
	for (const struct piece *p = b->pieces; p < b->pieces + b->n_pieces; p++) {
		if (pixels)
			memcpy(pixels + at, p->job->pixels + (size_t)p->first * N_PIXELS, (size_t)p->n * N_PIXELS);
		else
			job_ink(p->job, p->first, p->n, ink + at);
		at += (size_t)p->n * N_PIXELS;
	}
	return pixels ? engine_forward_pixels(b->context, model, pixels, b->n_batch, b->scores, e)
		      : engine_forward(b->context, model, ink, b->n_batch, b->scores, e);
}

static void compute_batch(struct batcher *b)
{
	int64_t started_ns = clock_now_ns();
	struct err e;
	bool failed = forward(b, &e) != 0;
	int64_t finished_ns = clock_now_ns();
	job_passed(&b->options.observer, b->n_batch);
	if (!failed)
		count_passes(b);

	const float *scores = b->scores;
	for (int i = 0; i < b->n_pieces; i++) {
		const struct piece *p = &b->pieces[i];
		struct job *job = p->job;
		memcpy(job->scores + (size_t)p->first * N_SCORES, scores, (size_t)p->n * N_SCORES * sizeof *scores);
		scores += p->n * N_SCORES;
		job->n_scored += p->n;
		if (!job->started_ns)
			job->started_ns = started_ns;
		job->finished_ns = finished_ns;
		if (failed) {
			if (job->n_taken < job->n) { // its rest is still the head of the queue
				pthread_mutex_lock(&b->thread.lock);
				pop(b);
				pthread_mutex_unlock(&b->thread.lock);
			}
			job->error = e;
			finish(job, JOB_FAILED);
		} else if (job->n_scored == job->n) {
			finish(job, JOB_OK);
		}
	}
}

static void *run(void *arg)
{
	struct batcher *b = arg;
	struct job *dropped = NULL;
	while (take_batch(b, &dropped)) {
		while (dropped) {
			struct job *job = dropped;
			dropped = job->next;
			job->done(job);
		}
		if (b->n_pieces)
			compute_batch(b);
	}
	return NULL;
}

static void free_memory(struct batcher *b)
{
	engine_context_close(b->context);
	free(b->scores);
	free(b->pieces);
	free(b);
}

int batcher_open(struct engine *engine, const struct batcher_options *options, struct batcher **batcher, struct err *e)
{
	struct batcher *b = calloc(1, sizeof *b);
	if (!b)
		return err_set(e, "no memory for the batcher");
	b->options = *options;
	b->tail = &b->head;

	size_t n = (size_t)options->max_batch;
	b->scores = calloc(n * N_SCORES, sizeof *b->scores);
	b->pieces = malloc(n * sizeof *b->pieces);
	if (!b->scores || !b->pieces) {
		err_set(e, "no memory for batches of %d pictures", options->max_batch);
		goto failed;
	}
	if (engine_context_open(engine, options->max_batch, 1, &b->context, e) ||
	    thread_start(&b->thread, "gathers pictures into batches", run, b, e))
		goto failed;
	*batcher = b;
	return 0;
failed:
	free_memory(b);
	return -1;
}

enum job_result batcher_submit(struct batcher *b, struct job *job)
{
	assert(job->n > 0);
	job->n_taken = job->n_scored = 0;
	job->started_ns = job->finished_ns = 0;
	job->next = NULL;
	job->arrival_us = clock_now_ns() / 1000;
	pthread_mutex_lock(&b->thread.lock);
	enum job_result result = JOB_OK;
	if (b->thread.stopping) {
		result = JOB_STOPPED;
	} else if (job->n > b->options.queue - b->n_queued) {
		result = JOB_FULL;
	} else {
		*b->tail = job;
		b->tail = &job->next;
		b->n_queued += job->n;
		pthread_cond_signal(&b->thread.changed);
	}
	pthread_mutex_unlock(&b->thread.lock);
	return result;
}

int batcher_depth(struct batcher *b)
{
	pthread_mutex_lock(&b->thread.lock);
	int n = b->n_queued;
	pthread_mutex_unlock(&b->thread.lock);
	return n;
}

void batcher_stop(struct batcher *b)
{
	thread_stop(&b->thread);
}

void batcher_close(struct batcher *b)
{
	if (!b)
		return;
	thread_close(&b->thread);
	free_memory(b);
}
