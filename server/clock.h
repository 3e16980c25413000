// clock: the time that durations and deadlines are measured by: CLOCK_MONOTONIC. Any thread.
#pragma once

#include <stdint.h>

int64_t clock_now_ns(void);
int64_t clock_coarse_ms(void); // the same clock as of the kernel's last tick, some milliseconds ago at most, in a third of the time
