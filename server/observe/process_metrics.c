#include "server/observe/process_metrics.h"

#include "server/observe/prometheus_text.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

// /proc/self/statm, see proc(5).
static void write_memory(struct text *t)
{
	double page = (double)sysconf(_SC_PAGESIZE);
	unsigned long long all, resident; // pages
	FILE *file = fopen("/proc/self/statm", "r");
	if (!file)
		return;
	if (fscanf(file, "%llu %llu", &all, &resident) == 2) {
		prometheus_text_gauge(t, "process_virtual_memory_bytes", "Virtual memory size in bytes.", (double)all * page);
		prometheus_text_gauge(t, "process_resident_memory_bytes", "Resident memory size in bytes.",
				      (double)resident * page);
	}
	fclose(file);
}

static void write_files(struct text *t)
{
	struct rlimit limit;
	DIR *folder = opendir("/proc/self/fd");
	if (folder) {
		int n = 0;
		for (struct dirent *d; (d = readdir(folder));)
			n += d->d_name[0] != '.';
		closedir(folder);
		prometheus_text_gauge(t, "process_open_fds", "Number of open file descriptors.",
				      n - 1); // without that of the folder itself
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		prometheus_text_gauge(t, "process_max_fds", "Maximum number of open file descriptors.", (double)limit.rlim_cur);
}

void process_metrics_write(time_t started, struct text *t)
{
	struct rusage usage;
	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		const struct timeval *user = &usage.ru_utime, *system = &usage.ru_stime;
		prometheus_text_family(t, "process_cpu_seconds_total", "counter",
				       "Total user and system CPU time spent in seconds.");
		text_printf(t, "process_cpu_seconds_total %.6f\n",
			    (double)(user->tv_sec + system->tv_sec) + (double)(user->tv_usec + system->tv_usec) / 1e6);
	}
	prometheus_text_gauge(t, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
			      (double)started);
	write_memory(t);
	write_files(t);
}
