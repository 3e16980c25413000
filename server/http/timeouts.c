// All entries of a phase have the same time, so a list that is appended to at its end is sorted: the earliest deadline of a
// phase is its list's first, and entering or leaving costs a few pointers. The thread sleeps until the earliest of all; an
// entry wakes it only if it is due before that, which under steady load happens once in a timeout, not once a request.
#include "server/http/timeouts.h"

#include "core/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct timeouts {
	int64_t time_ms[TIMEOUTS_N_PHASES];
	pthread_t thread;
	pthread_mutex_t lock; // of all that follows, and of the entries
	pthread_cond_t changed;
	struct timeouts_entry list[TIMEOUTS_N_PHASES]; // heads of circular lists
	int64_t wake_ms; // when the thread will look by itself
	bool stopping;
};

static void unlink_entry(struct timeouts_entry *entry)
{
	if (entry->phase == TIMEOUTS_NONE)
		return;
	entry->previous->next = entry->next;
	entry->next->previous = entry->previous;
	entry->phase = TIMEOUTS_NONE;
}

static void *run(void *arg)
{
	struct timeouts *s = arg;
	pthread_mutex_lock(&s->lock);
	while (!s->stopping) {
		int64_t now = clock_now_ns() / 1000000;
		s->wake_ms = INT64_MAX;
		for (int p = 0; p < TIMEOUTS_N_PHASES; p++) {
			struct timeouts_entry *first;
			while ((first = s->list[p].next) != &s->list[p] && first->deadline_ms <= now) {
				unlink_entry(first);
				shutdown(first->fd, SHUT_RDWR);
			}
			if (first != &s->list[p] && first->deadline_ms < s->wake_ms)
				s->wake_ms = first->deadline_ms;
		}
		if (s->wake_ms == INT64_MAX) {
			pthread_cond_wait(&s->changed, &s->lock);
		} else {
			struct timespec until = clock_timespec(s->wake_ms * 1000000);
			pthread_cond_timedwait(&s->changed, &s->lock, &until);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int timeouts_open(const int64_t time_ms[TIMEOUTS_N_PHASES], struct timeouts **timeouts, struct err *e)
{
	struct timeouts *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(e, "no memory for the connections' deadlines");
	memcpy(s->time_ms, time_ms, sizeof s->time_ms);
	for (int p = 0; p < TIMEOUTS_N_PHASES; p++)
		s->list[p].previous = s->list[p].next = &s->list[p];

	clock_cond_init(&s->changed);
	pthread_mutex_init(&s->lock, NULL);
	errno = pthread_create(&s->thread, NULL, run, s);
	if (errno) {
		err_errno(e, "cannot start the thread for the connections' deadlines");
		pthread_cond_destroy(&s->changed);
		pthread_mutex_destroy(&s->lock);
		free(s);
		return -1;
	}
	*timeouts = s;
	return 0;
}

void timeouts_close(struct timeouts *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void timeouts_join(struct timeouts *s, struct timeouts_entry *entry, int fd)
{
	entry->fd = fd;
	entry->phase = TIMEOUTS_NONE;
	timeouts_enter(s, entry, TIMEOUTS_HEADERS);
}

void timeouts_enter(struct timeouts *s, struct timeouts_entry *entry, enum timeouts_phase phase)
{
	pthread_mutex_lock(&s->lock);
	unlink_entry(entry);
	if (phase != TIMEOUTS_NONE) {
		struct timeouts_entry *head = &s->list[phase];
		entry->phase = phase;
		entry->deadline_ms = clock_coarse_ms() + s->time_ms[phase];
		entry->previous = head->previous;
		entry->next = head;
		head->previous->next = entry;
		head->previous = entry;
		if (entry->deadline_ms < s->wake_ms)
			pthread_cond_signal(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
}

void timeouts_leave(struct timeouts *s, struct timeouts_entry *entry)
{
	timeouts_enter(s, entry, TIMEOUTS_NONE);
}

static bool has_sent(int fd)
{
	char byte;
	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void timeouts_shut_idle(struct timeouts *s)
{
	const struct timeouts_entry *head = &s->list[TIMEOUTS_IDLE];
	pthread_mutex_lock(&s->lock);
	struct timeouts_entry *entry = head->next;
	while (entry != head && has_sent(entry->fd))
		entry = entry->next;
	if (entry != head) {
		unlink_entry(entry);
		shutdown(entry->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&s->lock);
}
