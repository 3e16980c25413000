// Read from /proc for each request, but for the start time: the kernel gives it in ticks since boot, and the time of boot is a
// difference of two clocks that varies slightly, so it is computed once.
#include "server/observe/process_metrics.h"

#include "server/observe/prometheus_text.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int process_metrics_parse_stat(const char *stat, struct process_metrics_stat *p)
{
	struct process_metrics_stat found;
	const char *rest = strrchr(stat, ')'); // the program's name before it may contain spaces and brackets
	if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu %llu %llu",
			    &found.start_ticks, &found.virtual_bytes, &found.resident_pages) != 3)
		return -1;
	*p = found;
	return 0;
}

static int read_stat(struct process_metrics_stat *p)
{
	char line[1024];
	FILE *file = fopen("/proc/self/stat", "r");
	if (!file)
		return -1;
	bool ok = fgets(line, sizeof line, file) != NULL;
	fclose(file);
	return ok ? process_metrics_parse_stat(line, p) : -1;
}

static double seconds(const struct timespec *t)
{
	return (double)t->tv_sec + (double)t->tv_nsec / 1e9;
}

static double start_time;

static void find_start_time(void)
{
	struct process_metrics_stat p;
	struct timespec now, up;
	if (read_stat(&p))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	start_time = seconds(&now) - seconds(&up) + (double)p.start_ticks / (double)sysconf(_SC_CLK_TCK);
}

static void write_stat(struct text *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct process_metrics_stat p;
	if (read_stat(&p))
		return;
	pthread_once(&once, find_start_time);
	prometheus_text_gauge(t, "process_virtual_memory_bytes", "Virtual memory size in bytes.", (double)p.virtual_bytes);
	prometheus_text_gauge(t, "process_resident_memory_bytes", "Resident memory size in bytes.",
			      (double)p.resident_pages * (double)sysconf(_SC_PAGESIZE));
	prometheus_text_gauge(t, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
			      start_time);
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

void process_metrics_write(struct text *t)
{
	struct rusage usage;
	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		const struct timeval *user = &usage.ru_utime, *system = &usage.ru_stime;
		prometheus_text_family(t, "process_cpu_seconds_total", "counter",
				       "Total user and system CPU time spent in seconds.");
		text_printf(t, "process_cpu_seconds_total %.6f\n",
			    (double)(user->tv_sec + system->tv_sec) + (double)(user->tv_usec + system->tv_usec) / 1e6);
	}
	write_stat(t);
	write_files(t);
}
