// One job, which the thread submits and then looks after: while it has not come back and no other pass has, nothing is said.
#include "server/watchdog.h"

#include "core/builtin.h"
#include "core/log.h"
#include "server/metrics.h"
#include "server/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct watchdog {
	struct watchdog_options options;
	pthread_t thread;
	uint64_t n_passes; // that were made when it looked last
	bool silent;       // since something is wrong

	// Its own request, untouchable while that is out.
	struct batcher_job job;
	struct model *model;
	float scores[LENET5_DIGITS];

	pthread_mutex_t lock; // of what follows
	pthread_cond_t changed;
	bool out, stopping;
};

static void back(struct batcher_job *job)
{
	struct watchdog *w = (struct watchdog *)((char *)job - offsetof(struct watchdog, job));
	model_unref(w->model);
	pthread_mutex_lock(&w->lock);
	w->out = false;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

// One request, if the last one is back.
static void ask(struct watchdog *w)
{
	const struct watchdog_options *o = &w->options;
	struct batcher_job *job = &w->job;
	pthread_mutex_lock(&w->lock);
	bool out = w->out;
	w->out = true;
	pthread_mutex_unlock(&w->lock);
	if (out)
		return;
	w->model = models_get(o->models, NULL);
	*job = (struct batcher_job){
		.model = w->model->engine_model,
		.pixels = builtin_digits(),
		.scores = w->scores,
		.n = 1,
		.deadline_us = INT64_MAX,
		.done = back,
	};
	if (o->direct) {
		direct_compute(o->direct, &job, 1);
		back(job);
	} else if (batcher_submit(o->batcher, job) != BATCHER_OK) {
		back(job);
	}
}

// Half a period. False: stopping.
static bool sleep_on(struct watchdog *w)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t us = until.tv_nsec / 1000 + w->options.period_us / 2;
	until.tv_sec += us / 1000000;
	until.tv_nsec = us % 1000000 * 1000;
	pthread_mutex_lock(&w->lock);
	while (!w->stopping && pthread_cond_timedwait(&w->changed, &w->lock, &until) != ETIMEDOUT)
		;
	bool go_on = !w->stopping;
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static uint64_t count_passes(const struct watchdog *w)
{
	uint64_t n_passes, n_pictures;
	metrics_passes(w->options.metrics, &n_passes, &n_pictures);
	return n_passes;
}

static void tell(struct watchdog *w)
{
	uint64_t n_passes = count_passes(w);
	bool works = n_passes != w->n_passes;
	w->n_passes = n_passes;
	if (works)
		notify_send("WATCHDOG=1");
	if (works && w->silent)
		log_info("the engine answers again");
	if (!works && !w->silent)
		log_error("the engine does not answer; systemd's watchdog is told nothing until it does");
	w->silent = !works;
}

static void *run(void *arg)
{
	struct watchdog *w = arg;
	for (ask(w); sleep_on(w); ask(w))
		tell(w);
	pthread_mutex_lock(&w->lock);
	while (w->out)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void free_memory(struct watchdog *w)
{
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int watchdog_open(const struct watchdog_options *options, struct watchdog **watchdog, struct err *e)
{
	struct watchdog *w = calloc(1, sizeof *w);
	if (!w)
		return err_set(e, "no memory for the watchdog");
	w->options = *options;
	w->n_passes = count_passes(w);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&w->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&w->lock, NULL);
	errno = pthread_create(&w->thread, NULL, run, w);
	if (errno) {
		err_errno(e, "cannot start the watchdog's thread");
		free_memory(w);
		return -1;
	}
	*watchdog = w;
	return 0;
}

void watchdog_close(struct watchdog *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	free_memory(w);
}
