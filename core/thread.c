#include "core/thread.h"

#include "core/clock.h"

#include <errno.h>

static void destroy(struct thread *t)
{
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
}

int thread_start(struct thread *t, const char *purpose, void *(*run)(void *), void *arg, struct err *e)
{
	t->stopping = t->joined = false;
	clock_cond_init(&t->changed);
	pthread_mutex_init(&t->lock, NULL);
	errno = pthread_create(&t->id, NULL, run, arg);
	if (!errno)
		return 0;
	err_errno(e, "cannot start the thread that %s", purpose);
	destroy(t);
	return -1;
}

bool thread_wait(struct thread *t, int64_t until_ns)
{
	return clock_wait(&t->changed, &t->lock, until_ns);
}

void thread_stop(struct thread *t)
{
	pthread_mutex_lock(&t->lock);
	t->stopping = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	if (!t->joined)
		pthread_join(t->id, NULL);
	t->joined = true;
}

void thread_close(struct thread *t)
{
	thread_stop(t);
	destroy(t);
}
