// process_metrics: this process's resources as reported by the kernel, named as in Prometheus' client libraries
// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics).
#pragma once

#include "core/text.h"

// Fields of /proc/self/stat, see proc(5). The parser is pure; -1: a field is missing.
struct process_metrics_stat {
	unsigned long long start_ticks, virtual_bytes, resident_pages;
};
int process_metrics_parse_stat(const char *stat, struct process_metrics_stat *p);

// Writes the metrics, without those that this system does not provide. Any thread.
void process_metrics_write(struct text *t);
