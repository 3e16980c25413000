// thread: a thread with the lock, the condition and the flag by which its owner shares fields with it and stops it. It is a member of
// the struct whose fields the lock guards.
#pragma once

#include "core/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct thread {
	pthread_mutex_t lock;
	pthread_cond_t changed; // a guarded field has changed
	bool stopping; // lock; when it is true, run() is to return
	bool joined; // belongs to the thread that stops this one
	pthread_t id;
};

// Calls run(arg) on a new thread. purpose completes the error message "cannot start the thread that …". After a failure there is
// nothing to close.
int thread_start(struct thread *thread, const char *purpose, void *(*run)(void *), void *arg, struct err *e);

// Waits for `changed` with the lock held, as clock_wait does.
bool thread_wait(struct thread *thread, int64_t until_ns);

// Sets stopping, wakes the thread and waits for its end; does nothing the second time. The lock stays usable.
void thread_stop(struct thread *thread);

void thread_close(struct thread *thread); // stops it first
