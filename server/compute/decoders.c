// The queue is a list in the order of turns; those of one turn are in the order of arrival. A client's first waiting task gets the turn
// that follows the latest one to begin, and each further one the turn after its last. This is fair queueing with tasks of equal size. So
// the last task of the list is the last one of the client that has the most, and it is the one to drop when there are too many. The list
// is short enough to be searched.
//
// Memory is reserved in the order of tickets, so that small pictures cannot keep a large one waiting for ever.
//
// The lock, the queue's deadlines and one more thread are those of `watch`: decoders may all be busy when a waiting task becomes late.
#include "server/compute/decoders.h"

#include "core/clock.h"
#include "core/thread.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { NICE = 10 };

struct decoders_thread {
	struct decoders *all;
	pthread_t id;
	struct decoders_task *task; // lock; NULL: idle
	int64_t deadline_ns; // lock; the task's
	int64_t n_reserved; // lock
	uint64_t ticket; // lock; not 0: it waits for memory, after those with lower ones
};

struct decoders {
	struct decoders_options options;
	struct thread watch; // drops what is late. Its lock guards what follows
	pthread_cond_t queued, freed; // a task was queued, or closing; memory was given back, or a ticket with it
	struct decoders_task *head;
	int n_queued, n_busy;
	uint64_t turn; // the latest that has begun
	int64_t watch_until_ns; // when the watching thread wakes up
	int64_t n_reserved;
	uint64_t last_ticket;
	bool closing;

	int n_started;
	struct decoders_thread threads[];
};

static enum decoders_result check(const struct decoders_task *task, int64_t now_ns)
{
	return task->gone && atomic_load(task->gone) ? DECODERS_GONE : task->deadline_ns <= now_ns ? DECODERS_LATE : DECODERS_OK;
}

// Calls run() of a list of dropped tasks. Without the lock.
static void drop(struct decoders_task *list, enum decoders_result result)
{
	int64_t now_ns = clock_now_ns();
	while (list) {
		struct decoders_task *task = list;
		list = task->next;
		enum decoders_result why = check(task, now_ns);
		task->run(task, why == DECODERS_OK ? result : why, NULL);
	}
}

static struct decoders_task *take(struct decoders *d, struct decoders_task **at)
{
	struct decoders_task *task = *at;
	*at = task->next;
	task->next = NULL;
	d->n_queued--;
	return task;
}

// Moves tasks that are late or gone from the queue to a list. *next_ns: the earliest deadline of the others.
static struct decoders_task *take_late(struct decoders *d, int64_t *next_ns)
{
	struct decoders_task *late = NULL;
	int64_t now_ns = clock_now_ns();
	*next_ns = INT64_MAX;
	for (struct decoders_task **at = &d->head; *at;) {
		if (check(*at, now_ns) == DECODERS_OK) {
			*next_ns = (*at)->deadline_ns < *next_ns ? (*at)->deadline_ns : *next_ns;
			at = &(*at)->next;
			continue;
		}
		struct decoders_task *task = take(d, at);
		task->next = late;
		late = task;
	}
	return late;
}

static void *watch(void *arg)
{
	struct decoders *d = arg;
	pthread_mutex_lock(&d->watch.lock);
	while (!d->watch.stopping) {
		int64_t next_ns;
		struct decoders_task *late = take_late(d, &next_ns);
		if (late) {
			pthread_mutex_unlock(&d->watch.lock);
			drop(late, DECODERS_LATE);
			pthread_mutex_lock(&d->watch.lock);
			continue;
		}
		d->watch_until_ns = next_ns;
		thread_wait(&d->watch, next_ns);
	}
	pthread_mutex_unlock(&d->watch.lock);
	return NULL;
}

static void insert(struct decoders *d, struct decoders_task *task)
{
	struct decoders_task **at;
	task->turn = d->turn + 1;
	for (at = &d->head; *at; at = &(*at)->next)
		if ((*at)->client == task->client)
			task->turn = (*at)->turn + 1;
	for (at = &d->head; *at && (*at)->turn <= task->turn; at = &(*at)->next)
		;
	task->next = *at;
	*at = task;
	d->n_queued++;
}

// The last task, if there are too many; gone and late ones go first.
static struct decoders_task *make_room(struct decoders *d)
{
	int64_t next_ns;
	if (d->n_queued <= d->options.queue)
		return NULL;
	struct decoders_task *late = take_late(d, &next_ns), **at = &d->head;
	if (d->n_queued <= d->options.queue)
		return late;
	while ((*at)->next)
		at = &(*at)->next;
	struct decoders_task *last = take(d, at);
	last->next = late;
	return last;
}

void decoders_submit(struct decoders *d, struct decoders_task *task)
{
	struct decoders_task *dropped = NULL;
	task->next = NULL;
	pthread_mutex_lock(&d->watch.lock);
	bool closing = d->closing;
	if (!closing) {
		int64_t deadline_ns = task->deadline_ns; // the task may be dropped at once
		insert(d, task);
		dropped = make_room(d);
		pthread_cond_signal(&d->queued);
		if (deadline_ns < d->watch_until_ns)
			pthread_cond_signal(&d->watch.changed);
	}
	pthread_mutex_unlock(&d->watch.lock);
	if (closing)
		task->run(task, DECODERS_STOPPED, NULL);
	drop(dropped, DECODERS_FULL);
}

// Waits for a task and begins it. NULL: closing.
static struct decoders_task *begin(struct decoders_thread *t)
{
	struct decoders *d = t->all;
	pthread_mutex_lock(&d->watch.lock);
	while (!d->head && !d->closing)
		pthread_cond_wait(&d->queued, &d->watch.lock);
	struct decoders_task *task = d->closing ? NULL : take(d, &d->head);
	if (task) {
		d->turn = task->turn > d->turn ? task->turn : d->turn;
		d->n_busy++;
		t->task = task;
		t->deadline_ns = task->deadline_ns;
	}
	pthread_mutex_unlock(&d->watch.lock);
	return task;
}

static void end(struct decoders_thread *t)
{
	struct decoders *d = t->all;
	pthread_mutex_lock(&d->watch.lock);
	d->n_busy--;
	d->n_reserved -= t->n_reserved;
	t->n_reserved = 0;
	t->task = NULL;
	pthread_cond_broadcast(&d->freed);
	pthread_mutex_unlock(&d->watch.lock);
}

static void *run(void *arg)
{
	struct decoders_thread *t = arg;
	struct decoders_task *task;
	setpriority(PRIO_PROCESS, 0, NICE); // of this thread alone, on Linux; if it fails, the bound on threads has to do
	while ((task = begin(t))) {
		enum decoders_result result = check(task, clock_now_ns());
		task->run(task, result, result == DECODERS_OK ? t : NULL);
		end(t);
	}
	return NULL;
}

static bool is_first(const struct decoders_thread *t)
{
	const struct decoders *d = t->all;
	for (int i = 0; i < d->n_started; i++)
		if (d->threads[i].ticket && d->threads[i].ticket < t->ticket)
			return false;
	return true;
}

enum decoders_result decoders_reserve(struct decoders_thread *t, uint64_t n)
{
	struct decoders *d = t->all;
	const int64_t wanted = n < (uint64_t)d->options.memory ? (int64_t)n : d->options.memory;
	enum decoders_result result;
	pthread_mutex_lock(&d->watch.lock);
	t->ticket = ++d->last_ticket;
	while ((result = check(t->task, clock_now_ns())) == DECODERS_OK &&
	       (!is_first(t) || d->n_reserved + wanted > d->options.memory))
		clock_wait(&d->freed, &d->watch.lock, t->deadline_ns);
	t->ticket = 0;
	if (result == DECODERS_OK) {
		d->n_reserved += wanted;
		t->n_reserved = wanted;
	}
	pthread_cond_broadcast(&d->freed);
	pthread_mutex_unlock(&d->watch.lock);
	return result;
}

void decoders_state(struct decoders *d, struct decoders_state *state)
{
	int64_t now_ns = clock_now_ns();
	pthread_mutex_lock(&d->watch.lock);
	*state = (struct decoders_state){ d->n_queued, d->n_busy, d->n_reserved, 0 };
	for (int i = 0; i < d->n_started; i++) {
		int64_t overdue_ns = d->threads[i].task ? now_ns - d->threads[i].deadline_ns : 0;
		if (overdue_ns > state->most_overdue_ns)
			state->most_overdue_ns = overdue_ns;
	}
	pthread_mutex_unlock(&d->watch.lock);
}

int decoders_default_threads(void)
{
	enum { MOST = 64 };
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) - 1 : 1;
	return n < 1 ? 1 : n > MOST ? MOST : n;
}

static int start_threads(struct decoders *d, struct err *e)
{
	while (d->n_started < d->options.n_threads) {
		struct decoders_thread *t = &d->threads[d->n_started];
		t->all = d;
		errno = pthread_create(&t->id, NULL, run, t);
		if (errno)
			return err_errno(e, "cannot start a thread that decodes pictures");
		pthread_mutex_lock(&d->watch.lock);
		d->n_started++;
		pthread_mutex_unlock(&d->watch.lock);
	}
	return 0;
}

int decoders_open(const struct decoders_options *options, struct decoders **decoders, struct err *e)
{
	struct decoders *d = calloc(1, sizeof *d + (size_t)options->n_threads * sizeof d->threads[0]);
	if (!d)
		return err_set(e, "no memory for %d threads that decode pictures", options->n_threads);
	d->options = *options;
	d->watch_until_ns = INT64_MAX;
	if (thread_start(&d->watch, "watches the queue of pictures to decode", watch, d, e)) {
		free(d);
		return -1;
	}
	pthread_cond_init(&d->queued, NULL);
	clock_cond_init(&d->freed);
	if (start_threads(d, e)) {
		decoders_close(d);
		return -1;
	}
	*decoders = d;
	return 0;
}

void decoders_close(struct decoders *d)
{
	if (!d)
		return;
	pthread_mutex_lock(&d->watch.lock);
	struct decoders_task *waiting = d->head;
	d->closing = true;
	d->head = NULL;
	d->n_queued = 0;
	pthread_cond_broadcast(&d->queued);
	pthread_mutex_unlock(&d->watch.lock);
	drop(waiting, DECODERS_STOPPED);
	for (int i = 0; i < d->n_started; i++)
		pthread_join(d->threads[i].id, NULL);
	thread_close(&d->watch);
	pthread_cond_destroy(&d->queued);
	pthread_cond_destroy(&d->freed);
	free(d);
}
