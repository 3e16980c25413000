// Twice a period the thread looks whether what it asked for the time before has come, and asks again; for a pass only if none came
// about. So it computes nothing in a daemon that has work, and sees half a period later that an engine has stopped.
#include "server/supervise/watchdog.h"

#include "core/log.h"
#include "core/clock.h"
#include "server/supervise/notify.h"
#include "server/supervise/liveness.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct watchdog {
	struct watchdog_options options;
	pthread_t thread;
	struct liveness liveness;
	uint64_t n_passes; // that were made when it looked last
	bool wanted; // a pass, since the last one that was seen
	bool silent; // since something is wrong

	pthread_mutex_t lock; // of what follows
	pthread_cond_t changed;
	bool out, stopping; // out: a pass was asked for, and is not back
};

static void back(void *arg)
{
	struct watchdog *w = arg;
	pthread_mutex_lock(&w->lock);
	w->out = false;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

// For a pass, if the last one that was asked for is back.
static void ask(struct watchdog *w)
{
	pthread_mutex_lock(&w->lock);
	bool out = w->out;
	w->out = true;
	pthread_mutex_unlock(&w->lock);
	if (!out)
		w->options.probe(w->options.arg, back, w);
}

// Half a period. False: stopping.
static bool sleep_on(struct watchdog *w)
{
	const struct timespec until = clock_timespec(clock_now_ns() + (int64_t)w->options.period_us * 500);
	pthread_mutex_lock(&w->lock);
	while (!w->stopping && pthread_cond_timedwait(&w->changed, &w->lock, &until) != ETIMEDOUT)
		;
	bool go_on = !w->stopping;
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static bool engine_works(struct watchdog *w)
{
	uint64_t n_passes = w->options.n_passes(w->options.arg);
	bool was_wanted = w->wanted, came = n_passes != w->n_passes;
	w->n_passes = n_passes;
	w->wanted = !came;
	if (!came)
		ask(w);
	return came || !was_wanted;
}

static void look(struct watchdog *w)
{
	bool turns = liveness_is_felt(&w->liveness), computes = !w->options.n_passes || engine_works(w);
	bool works = turns && computes;
	liveness_ask(&w->liveness);
	if (works)
		notify_send("WATCHDOG=1");
	if (works && w->silent)
		log_info("everything answers again");
	if (!works && !w->silent)
		log_error("%s; systemd's watchdog is told nothing until that has an end",
			  turns ? "the engine does not answer" : "a thread that answers HTTP is stuck");
	w->silent = !works;
}

static void *run(void *arg)
{
	struct watchdog *w = arg;
	liveness_ask(&w->liveness);
	while (sleep_on(w))
		look(w);
	pthread_mutex_lock(&w->lock);
	while (w->out)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void free_memory(struct watchdog *w)
{
	liveness_fini(&w->liveness);
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
	liveness_init(&w->liveness, options->take, options->arg, options->n_threads);
	if (options->n_passes)
		w->n_passes = options->n_passes(options->arg);
	clock_cond_init(&w->changed);
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
