// Twice a period the thread checks whether the last probes have come back, and sends new ones. It requests a forward pass only if there
// was none since the last check, so a busy daemon computes nothing for it. A stopped engine is noticed half a period later.
#include "server/supervise/watchdog.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/thread.h"
#include "server/supervise/liveness.h"
#include "server/supervise/notify.h"

#include <stdlib.h>

struct watchdog {
	struct watchdog_options options;
	struct liveness liveness;
	uint64_t n_passes; // at the last check
	bool wanted; // the last check requested a pass
	bool failing; // the last check failed

	struct thread thread;
	bool probing; // lock; a requested pass has not finished
};

static void probe_done(void *arg)
{
	struct watchdog *w = arg;
	pthread_mutex_lock(&w->thread.lock);
	w->probing = false;
	pthread_cond_signal(&w->thread.changed);
	pthread_mutex_unlock(&w->thread.lock);
}

// Requests a forward pass, unless the last one has not finished.
static void request_pass(struct watchdog *w)
{
	pthread_mutex_lock(&w->thread.lock);
	bool probing = w->probing;
	w->probing = true;
	pthread_mutex_unlock(&w->thread.lock);
	if (!probing)
		w->options.probe(w->options.arg, probe_done, w);
}

// False: stopping.
static bool wait_half_period(struct watchdog *w)
{
	const int64_t until_ns = clock_now_ns() + w->options.period_us * 500;
	pthread_mutex_lock(&w->thread.lock);
	while (!w->thread.stopping && thread_wait(&w->thread, until_ns))
		;
	bool go_on = !w->thread.stopping;
	pthread_mutex_unlock(&w->thread.lock);
	return go_on;
}

// Whether there was a pass since the last check, or the last check requested none.
static bool engine_works(struct watchdog *w)
{
	uint64_t n_passes = w->options.n_passes(w->options.arg);
	bool was_wanted = w->wanted, was_made = n_passes != w->n_passes;
	w->n_passes = n_passes;
	w->wanted = !was_made;
	if (!was_made)
		request_pass(w);
	return was_made || !was_wanted;
}

static void check(struct watchdog *w)
{
	bool threads_work = liveness_all_closed(&w->liveness), computes = !w->options.n_passes || engine_works(w);
	bool decodes = !w->options.is_stuck(w->options.arg), works = threads_work && computes && decodes;
	liveness_send_probes(&w->liveness);
	if (works)
		notify_send("WATCHDOG=1");
	if (works && w->failing)
		log_info("watchdog: everything answers again");
	if (!works && !w->failing)
		log_error("watchdog: %s; systemd gets no WATCHDOG=1 until it does",
			  !threads_work ? "a thread that answers HTTP does not respond"
			  : computes    ? "a thread that decodes pictures is stuck"
					: "the engine does not answer");
	w->failing = !works;
}

static void *run(void *arg)
{
	struct watchdog *w = arg;
	liveness_send_probes(&w->liveness);
	while (wait_half_period(w))
		check(w);
	pthread_mutex_lock(&w->thread.lock);
	while (w->probing)
		thread_wait(&w->thread, INT64_MAX);
	pthread_mutex_unlock(&w->thread.lock);
	return NULL;
}

static void free_memory(struct watchdog *w)
{
	liveness_fini(&w->liveness);
	free(w);
}

int watchdog_open(const struct watchdog_options *options, struct watchdog **watchdog, struct err *e)
{
	struct watchdog *w = calloc(1, sizeof *w);
	if (!w)
		return err_set(e, "no memory for the watchdog");
	w->options = *options;
	liveness_init(&w->liveness, options->add_connection, options->arg, options->n_threads);
	if (options->n_passes)
		w->n_passes = options->n_passes(options->arg);
	if (thread_start(&w->thread, "is the watchdog", run, w, e)) {
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
	thread_close(&w->thread);
	free_memory(w);
}
