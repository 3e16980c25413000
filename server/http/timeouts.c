// All connections of a phase have the same time, so a list that grows at its end is sorted: a phase's earliest deadline is its first
// entry, and changing the phase costs a few pointers. The thread sleeps until the earliest of all. A new deadline wakes it only if it
// comes before that: under steady load once in a timeout, not once a request.
#include "server/http/timeouts.h"

#include "core/clock.h"
#include "core/thread.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct timeouts {
	int64_t time_ms[TIMEOUTS_N_PHASES];
	struct thread thread; // its lock guards what follows, and the entries
	struct timeouts_entry list[TIMEOUTS_N_PHASES]; // heads of circular lists
	int64_t wake_ms; // when the thread wakes up by itself; INT64_MAX: never
};

static void unlink_entry(struct timeouts_entry *entry)
{
	if (entry->phase == TIMEOUTS_NONE)
		return;
	entry->previous->next = entry->next;
	entry->next->previous = entry->previous;
	entry->phase = TIMEOUTS_NONE;
}

// Shuts down what is due, under the lock. Returns the earliest deadline that is left, INT64_MAX if there is none.
static int64_t shut_due(struct timeouts *t, int64_t now_ms)
{
	int64_t earliest_ms = INT64_MAX;
	for (int p = 0; p < TIMEOUTS_N_PHASES; p++) {
		struct timeouts_entry *first;
		while ((first = t->list[p].next) != &t->list[p] && first->deadline_ms <= now_ms) {
			unlink_entry(first);
			shutdown(first->fd, SHUT_RDWR);
		}
		if (first != &t->list[p] && first->deadline_ms < earliest_ms)
			earliest_ms = first->deadline_ms;
	}
	return earliest_ms;
}

static void *run(void *arg)
{
	struct timeouts *t = arg;
	pthread_mutex_lock(&t->thread.lock);
	while (!t->thread.stopping) {
		t->wake_ms = shut_due(t, clock_now_ns() / 1000000);
		thread_wait(&t->thread, t->wake_ms == INT64_MAX ? INT64_MAX : t->wake_ms * 1000000);
	}
	pthread_mutex_unlock(&t->thread.lock);
	return NULL;
}

int timeouts_open(const int64_t time_ms[TIMEOUTS_N_PHASES], struct timeouts **timeouts, struct err *e)
{
	struct timeouts *t = calloc(1, sizeof *t);
	if (!t)
		return err_set(e, "no memory for the connections' timeouts");
	memcpy(t->time_ms, time_ms, sizeof t->time_ms);
	for (int p = 0; p < TIMEOUTS_N_PHASES; p++)
		t->list[p].previous = t->list[p].next = &t->list[p];
	if (thread_start(&t->thread, "closes connections after a timeout", run, t, e)) {
		free(t);
		return -1;
	}
	*timeouts = t;
	return 0;
}

void timeouts_close(struct timeouts *t)
{
	if (!t)
		return;
	thread_close(&t->thread);
	free(t);
}

void timeouts_add(struct timeouts *t, struct timeouts_entry *entry, int fd)
{
	entry->fd = fd;
	entry->phase = TIMEOUTS_NONE;
	timeouts_set(t, entry, TIMEOUTS_HEADERS);
}

void timeouts_set(struct timeouts *t, struct timeouts_entry *entry, enum timeouts_phase phase)
{
	pthread_mutex_lock(&t->thread.lock);
	unlink_entry(entry);
	if (phase != TIMEOUTS_NONE) {
		struct timeouts_entry *head = &t->list[phase];
		entry->phase = phase;
		entry->deadline_ms = clock_coarse_ms() + t->time_ms[phase];
		entry->previous = head->previous;
		entry->next = head;
		head->previous->next = entry;
		head->previous = entry;
		if (entry->deadline_ms < t->wake_ms)
			pthread_cond_signal(&t->thread.changed);
	}
	pthread_mutex_unlock(&t->thread.lock);
}

void timeouts_remove(struct timeouts *t, struct timeouts_entry *entry)
{
	timeouts_set(t, entry, TIMEOUTS_NONE);
}

// Whether bytes have come that libmicrohttpd has not read.
static bool has_unread(int fd)
{
	char byte;
	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void timeouts_shut_idle(struct timeouts *t)
{
	const struct timeouts_entry *head = &t->list[TIMEOUTS_IDLE];
	pthread_mutex_lock(&t->thread.lock);
	struct timeouts_entry *entry = head->next;
	while (entry != head && has_unread(entry->fd))
		entry = entry->next;
	if (entry != head) {
		unlink_entry(entry);
		shutdown(entry->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&t->thread.lock);
}
