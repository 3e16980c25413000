// clock: the time that durations and deadlines are measured by: CLOCK_MONOTONIC. Any thread.
#pragma once

#include <stdint.h>

int64_t clock_now_ns(void);
