// process: what the kernel says of this process, as Prometheus' client libraries name it
// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics).
#pragma once

#include "core/text.h"

// Of /proc/self/stat, see proc(5). 0: it is there whole. Pure.
struct process_metrics_stat {
	unsigned long long start_ticks, virtual_bytes, resident_pages;
};
int process_metrics_parse_stat(const char *stat, struct process_metrics_stat *p);

// Writes the families; one that this system does not tell is left out. Any thread.
void process_metrics_write(struct text *t);
