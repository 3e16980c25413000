// A line is put together in a buffer on the stack and leaves in one write(2): no lock, no torn lines.
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static enum log_level threshold = LOG_INFO; // written before threads start

void log_set_level(enum log_level level)
{
	threshold = level;
}

void log_at(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "debug", "info ", "warn ", "error" };
	if (level < threshold)
		return;

	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);

	char line[1024];
	size_t n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
	n += (size_t)snprintf(line + n, sizeof line - n, ".%03ldZ %s ", now.tv_nsec / 1000000, names[level]);

	size_t start = n;
	va_list args;
	va_start(args, format);
	int wrote = vsnprintf(line + n, sizeof line - n - 1, format, args);
	va_end(args);
	if (wrote > 0)
		n += (size_t)wrote < sizeof line - n - 1 ? (size_t)wrote : sizeof line - n - 2;
	for (size_t i = start; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; // nowhere left to say it
}
