// The job that is being loaded may be taken back while the thread is at it, so the thread has a copy of the name, and looks when it is
// through whether somebody still wants to know.
#include "server/compute/loader.h"

#include "core/log.h"
#include "core/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct loader {
	struct loader_options options;
	pthread_t thread;
	bool joined; // of the thread that stops

	pthread_mutex_t lock; // of what follows
	pthread_cond_t changed;
	struct loader_job *head, **tail;
	int n_waiting;
	bool reload, busy, stopping;
	struct loader_job *current; // that the thread is at, and somebody waits for

	char name[MODELS_MAX_NAME]; // the thread's: of the current job
};

static void load(struct loader *l)
{
	struct err e;
	int failed = models_load(l->options.models, l->name, &e);
	if (failed)
		log_error("asked to load: model %s stays as it is: %s", l->name, e.msg);
	else
		log_info("asked to load: model %s is loaded again", l->name);

	pthread_mutex_lock(&l->lock);
	struct loader_job *wanted = l->current;
	l->current = NULL;
	pthread_mutex_unlock(&l->lock);
	if (!wanted)
		return;
	wanted->result = failed ? LOADER_FAILED : LOADER_OK;
	if (failed)
		wanted->error = e;
	wanted->done(wanted);
}

// Waits for something to do and takes it: a reload, or else a job. False: stopping.
static bool take(struct loader *l, bool *reload)
{
	pthread_mutex_lock(&l->lock);
	l->busy = false;
	pthread_cond_broadcast(&l->changed);
	while (!l->head && !l->reload && !l->stopping)
		pthread_cond_wait(&l->changed, &l->lock);
	bool go_on = l->busy = !l->stopping;
	*reload = l->reload;
	l->reload = false;
	if (go_on && !*reload) {
		l->current = l->head;
		memcpy(l->name, l->current->name, sizeof l->name);
		l->head = l->current->next;
		if (!l->head)
			l->tail = &l->head;
		l->n_waiting--;
	}
	pthread_mutex_unlock(&l->lock);
	return go_on;
}

static void *run(void *arg)
{
	struct loader *l = arg;
	bool reload;
	while (take(l, &reload)) {
		if (reload)
			l->options.reload(l->options.arg);
		else
			load(l);
	}
	return NULL;
}

static void free_memory(struct loader *l)
{
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

int loader_open(const struct loader_options *options, struct loader **loader, struct err *e)
{
	struct loader *l = calloc(1, sizeof *l);
	if (!l)
		return err_set(e, "no memory for the loader");
	clock_cond_init(&l->changed);
	pthread_mutex_init(&l->lock, NULL);
	l->options = *options;
	l->tail = &l->head;
	errno = pthread_create(&l->thread, NULL, run, l);
	if (errno) {
		err_errno(e, "cannot start the thread that loads models");
		free_memory(l);
		return -1;
	}
	*loader = l;
	return 0;
}

enum loader_result loader_submit(struct loader *l, struct loader_job *job)
{
	enum loader_result result = LOADER_OK;
	job->next = NULL;
	pthread_mutex_lock(&l->lock);
	if (l->stopping) {
		result = LOADER_STOPPED;
	} else if (l->n_waiting == LOADER_MAX_WAITING) {
		result = LOADER_FULL;
	} else {
		*l->tail = job;
		l->tail = &job->next;
		l->n_waiting++;
		pthread_cond_broadcast(&l->changed);
	}
	pthread_mutex_unlock(&l->lock);
	return result;
}

void loader_reload(struct loader *l)
{
	pthread_mutex_lock(&l->lock);
	l->reload = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

// A list of jobs that will not be loaded.
static void give_back(struct loader_job *job)
{
	while (job) {
		struct loader_job *next = job->next;
		job->result = LOADER_STOPPED;
		job->done(job);
		job = next;
	}
}

bool loader_stop(struct loader *l, int patience_ms)
{
	if (!l || l->joined)
		return true;
	const struct timespec until = clock_timespec(clock_now_ns() + (int64_t)patience_ms * 1000000);

	pthread_mutex_lock(&l->lock);
	struct loader_job *waiting = l->head;
	l->stopping = true;
	l->head = NULL;
	l->tail = &l->head;
	l->n_waiting = 0;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	give_back(waiting);

	pthread_mutex_lock(&l->lock);
	while (l->busy && pthread_cond_timedwait(&l->changed, &l->lock, &until) != ETIMEDOUT)
		;
	bool busy = l->busy;
	struct loader_job *abandoned = l->current;
	l->current = NULL;
	pthread_mutex_unlock(&l->lock);
	if (abandoned)
		abandoned->next = NULL;
	give_back(abandoned);
	if (!busy) {
		pthread_join(l->thread, NULL);
		l->joined = true;
	}
	return !busy;
}

void loader_close(struct loader *l)
{
	if (l)
		free_memory(l);
}
