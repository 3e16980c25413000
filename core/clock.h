// clock: durations and deadlines, by CLOCK_MONOTONIC. Any thread.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

int64_t clock_now_ns(void);
int64_t clock_cpu_ns(void); // the processor time of the calling thread; a system call
int64_t clock_coarse_ms(void); // the time of the kernel's last tick, at most some milliseconds old, in a third of the time

// Initialises a condition for clock_wait.
void clock_cond_init(pthread_cond_t *cond);

// Waits for the condition, at most until clock_now_ns() is until_ns; INT64_MAX: without a limit. Returns false when the time has come.
bool clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns);
