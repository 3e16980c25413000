// A job is a loop counter from which all threads take the next item. A step of training has two such loops of a few hundred
// microseconds, so a thread without work spins for about the time that a wake-up costs before it sleeps.
#include "kernels/cpu/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SPINS = 20000 };

struct pool {
	int n_workers; // beside the caller
	pthread_t *workers;

	pthread_mutex_t lock;
	pthread_cond_t changed; // a new job, the end of one, or closing
	atomic_uint job; // counts jobs; written under lock
	atomic_int running; // workers that have not finished the job; set to n_workers under lock
	bool closing; // lock

	// The job: written under lock before `job` counts up, read by workers once they have seen that.
	int n_items;
	void (*work)(void *, int);
	void *context;
	atomic_int next;
};

static void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static void draw_items(struct pool *p)
{
	for (;;) {
		int i = atomic_fetch_add(&p->next, 1);
		if (i >= p->n_items)
			return;
		p->work(p->context, i);
	}
}

static void *worker(void *arg)
{
	struct pool *p = arg;
	unsigned seen = 0;
	for (;;) {
		for (int i = 0; i < SPINS && p->job == seen; i++)
			relax();
		pthread_mutex_lock(&p->lock);
		while (p->job == seen && !p->closing)
			pthread_cond_wait(&p->changed, &p->lock);
		bool closing = p->closing;
		seen = p->job;
		pthread_mutex_unlock(&p->lock);
		if (closing)
			return NULL;

		draw_items(p);
		if (atomic_fetch_sub(&p->running, 1) == 1) {
			pthread_mutex_lock(&p->lock); // or the caller could miss it between its check and its wait
			pthread_cond_broadcast(&p->changed);
			pthread_mutex_unlock(&p->lock);
		}
	}
}

void pool_run(struct pool *p, int n_items, void (*work)(void *, int), void *context)
{
	if (p->n_workers == 0 || n_items < 2) {
		for (int i = 0; i < n_items; i++)
			work(context, i);
		return;
	}
	pthread_mutex_lock(&p->lock);
	p->n_items = n_items;
	p->work = work;
	p->context = context;
	atomic_store(&p->next, 0);
	atomic_store(&p->running, p->n_workers);
	atomic_fetch_add(&p->job, 1);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);

	draw_items(p);
	for (int i = 0; i < SPINS && p->running; i++)
		relax();
	pthread_mutex_lock(&p->lock);
	while (p->running)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

int pool_new(int n_threads, struct pool **pool, struct err *e)
{
	struct pool *p = calloc(1, sizeof *p);
	if (!p || !(p->workers = calloc((size_t)n_threads, sizeof *p->workers))) {
		free(p);
		return err_set(e, "no memory for %d threads", n_threads);
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	for (; p->n_workers < n_threads - 1; p->n_workers++) {
		int error = pthread_create(&p->workers[p->n_workers], NULL, worker, p);
		if (error) {
			pool_free(p);
			return err_set(e, "cannot start %d threads: %s", n_threads, strerror(error));
		}
	}
	*pool = p;
	return 0;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < p->n_workers; i++)
		pthread_join(p->workers[i], NULL);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p);
}
