// loader_stop may hand back the current job while its model is being read. So the thread keeps a copy of the name, and checks
// afterwards whether the job is still there.
#include "server/compute/loader.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/thread.h"

#include <stdlib.h>
#include <string.h>

struct loader {
	struct loader_options options;
	struct thread thread; // its lock guards what follows
	struct loader_job *head, **tail;
	int n_waiting;
	bool reload, busy;
	struct loader_job *current; // being loaded, and not handed back yet

	char name[MODELS_MAX_NAME]; // the thread's own: the name in the current job
};

static void load(struct loader *l)
{
	struct err e;
	int failed = models_load(l->options.models, l->name, &e);
	if (failed)
		log_error("load request: model %s stays as it is: %s", l->name, e.msg);
	else
		log_info("load request: model %s is loaded again", l->name);

	pthread_mutex_lock(&l->thread.lock);
	struct loader_job *job = l->current;
	l->current = NULL;
	pthread_mutex_unlock(&l->thread.lock);
	if (!job)
		return;
	job->result = failed ? LOADER_FAILED : LOADER_OK;
	if (failed)
		job->error = e;
	job->done(job);
}

// Waits for a reload or a job, and makes that job the current one. False: stopping.
static bool next_task(struct loader *l, bool *reload)
{
	pthread_mutex_lock(&l->thread.lock);
	l->busy = false;
	pthread_cond_broadcast(&l->thread.changed);
	while (!l->head && !l->reload && !l->thread.stopping)
		thread_wait(&l->thread, INT64_MAX);
	bool go_on = l->busy = !l->thread.stopping;
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
	pthread_mutex_unlock(&l->thread.lock);
	return go_on;
}

static void *run(void *arg)
{
	struct loader *l = arg;
	bool reload;
	while (next_task(l, &reload)) {
		if (reload)
			l->options.reload(l->options.arg);
		else
			load(l);
	}
	return NULL;
}

int loader_open(const struct loader_options *options, struct loader **loader, struct err *e)
{
	struct loader *l = calloc(1, sizeof *l);
	if (!l)
		return err_set(e, "no memory for the loader");
	l->options = *options;
	l->tail = &l->head;
	if (thread_start(&l->thread, "loads models", run, l, e)) {
		free(l);
		return -1;
	}
	*loader = l;
	return 0;
}

enum loader_result loader_submit(struct loader *l, struct loader_job *job)
{
	enum loader_result result = LOADER_OK;
	job->next = NULL;
	pthread_mutex_lock(&l->thread.lock);
	if (l->thread.stopping) {
		result = LOADER_STOPPED;
	} else if (l->n_waiting == LOADER_MAX_WAITING) {
		result = LOADER_FULL;
	} else {
		*l->tail = job;
		l->tail = &job->next;
		l->n_waiting++;
		pthread_cond_broadcast(&l->thread.changed);
	}
	pthread_mutex_unlock(&l->thread.lock);
	return result;
}

void loader_reload(struct loader *l)
{
	pthread_mutex_lock(&l->thread.lock);
	l->reload = true;
	pthread_cond_broadcast(&l->thread.changed);
	pthread_mutex_unlock(&l->thread.lock);
}

// Hands back a list of jobs that will not be loaded.
static void cancel(struct loader_job *job)
{
	while (job) {
		struct loader_job *next = job->next;
		job->result = LOADER_STOPPED;
		job->done(job);
		job = next;
	}
}

bool loader_stop(struct loader *l, int timeout_ms)
{
	if (!l || l->thread.joined)
		return true;
	const int64_t until_ns = clock_now_ns() + (int64_t)timeout_ms * 1000000;

	pthread_mutex_lock(&l->thread.lock);
	struct loader_job *waiting = l->head;
	l->thread.stopping = true;
	l->head = NULL;
	l->tail = &l->head;
	l->n_waiting = 0;
	pthread_cond_broadcast(&l->thread.changed);
	pthread_mutex_unlock(&l->thread.lock);
	cancel(waiting);

	pthread_mutex_lock(&l->thread.lock);
	while (l->busy && thread_wait(&l->thread, until_ns))
		;
	bool busy = l->busy;
	struct loader_job *abandoned = l->current;
	l->current = NULL;
	pthread_mutex_unlock(&l->thread.lock);
	if (abandoned)
		abandoned->next = NULL;
	cancel(abandoned);
	if (!busy)
		thread_stop(&l->thread);
	return !busy;
}

void loader_close(struct loader *l)
{
	if (!l)
		return;
	thread_close(&l->thread);
	free(l);
}
