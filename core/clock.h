// clock: the time that durations and deadlines are measured by: CLOCK_MONOTONIC. Any thread.
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <time.h>

int64_t clock_now_ns(void);
int64_t clock_coarse_ms(void); // the same clock as of the kernel's last tick, some milliseconds ago at most, in a third of the time

// A condition whose timed waits go by that clock, and a time of it as they want it.
void clock_cond_init(pthread_cond_t *cond);
struct timespec clock_timespec(int64_t ns);
