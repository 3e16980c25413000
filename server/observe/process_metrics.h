// process_metrics: this process's resources as reported by the kernel, named as in Prometheus' client libraries
// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics).
#pragma once

#include "core/text.h"

#include <time.h>

// Writes the metrics, except those that this system does not provide. started: when the process began. Any thread.
void process_metrics_write(time_t started, struct text *t);
