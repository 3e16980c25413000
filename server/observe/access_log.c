// Two buffers: request threads append lines to one while the log's own thread writes out the other. That thread polls before each
// write and writes whole lines of at most PIPE_BUF bytes. A pipe takes so many bytes in one piece (pipe(7)), so the write does not block,
// and the lines of several programs that share a pipe stay whole. O_NONBLOCK would apply to all programs that share the pipe.
#include "server/observe/access_log.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/thread.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BUFFER = 256 << 10, GRACE_MS = 1000, GATHER_MS = 5 };

struct access_log {
	enum access_log_form form;
	int fd;
	int stop_fd; // an eventfd, readable once the log is being closed
	struct thread thread; // its lock guards the next three
	char *filling; // [BUFFER]
	size_t n_filling;
	uint64_t n_dropped;

	// The thread's own.
	char *writing; // [BUFFER]
	uint64_t n_reported;
	bool broken; // the last write failed
	int64_t give_up_ns; // when to drop the lines that are left; 0 until the log is being closed
};

// Appends to a line of *n bytes. A record always fits, see the maxima in request_record.h.
__attribute__((format(printf, 3, 4))) static void put(char *line, int *n, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	*n += vsnprintf(line + *n, (size_t)(ACCESS_LOG_MAX_LINE - *n), format, args);
	va_end(args);
	assert(*n < ACCESS_LOG_MAX_LINE);
}

static double ms(int64_t ns)
{
	return (double)ns / 1e6;
}

// "blank:1,no_digit:2", in JSON {"blank": 1, "no_digit": 2}; and how many pictures could not be read. Nothing of what is 0.
static void put_refused(const struct route_account *a, bool json, char *line, int *n)
{
	bool any = false;
	for (int i = ROUTE_FIRST_REFUSED; i < ROUTE_END_REFUSED; i++) {
		if (!a->seen[i])
			continue;
		put(line, n, "%s", any ? json ? ", " : "," : json ? ", \"refused\": {" : " refused=");
		put(line, n, json ? "\"%s\": %d" : "%s:%d", route_seen_names[i], a->seen[i]);
		any = true;
	}
	if (any && json)
		put(line, n, "}");
	if (a->seen[ROUTE_UNREADABLE])
		put(line, n, json ? ", \"unreadable\": %d" : " unreadable=%d", a->seen[ROUTE_UNREADABLE]);
}

static void format_text(const struct request_record *r, const char *client, const char *time, char *line, int *n)
{
	const struct route_account *a = &r->account;
	char status[16] = "-";
	if (r->status)
		snprintf(status, sizeof status, "%d", r->status);
	put(line, n, "%s %s %s %s %s in=%" PRIu64 " out=%" PRIu64, time, client, r->method, r->path, status, r->n_in, r->n_out);
	if (r->status)
		put(line, n, " ms=%.3f", ms(r->took_ns));
	for (int i = 0; i < ROUTE_N_STAGES; i++)
		if (a->stages & 1u << i)
			put(line, n, " %s=%.3f", request_record_stages[i], ms(a->ns[i]));
	if (*a->model)
		put(line, n, " model=%s pictures=%d", a->model, a->n_pictures);
	put_refused(a, false, line, n);
	put(line, n, " id=%s%s%s\n", r->id, *r->trace_id ? " trace=" : "", r->trace_id);
}

// No string needs escaping: methods and paths are encoded, ids are checked, and models have names without quotes.
static void format_json(const struct request_record *r, const char *client, const char *time, char *line, int *n)
{
	const struct route_account *a = &r->account;
	put(line, n, "{\"time\": \"%s\", \"client\": \"%s\", \"method\": \"%s\", \"path\": \"%s\", \"status\": ", time, client,
	    r->method, r->path);
	if (r->status)
		put(line, n, "%d, \"duration_ms\": %.3f", r->status, ms(r->took_ns));
	else
		put(line, n, "null");
	put(line, n, ", \"bytes_in\": %" PRIu64 ", \"bytes_out\": %" PRIu64, r->n_in, r->n_out);
	for (int i = 0; i < ROUTE_N_STAGES; i++)
		if (a->stages & 1u << i)
			put(line, n, ", \"%s_ms\": %.3f", request_record_stages[i], ms(a->ns[i]));
	if (*a->model)
		put(line, n, ", \"model\": \"%s\", \"pictures\": %d", a->model, a->n_pictures);
	put_refused(a, true, line, n);
	put(line, n, ", \"request_id\": \"%s\"", r->id);
	if (*r->trace_id)
		put(line, n, ", \"trace_id\": \"%s\"", r->trace_id);
	put(line, n, "}\n");
}

int access_log_format(enum access_log_form form, const struct request_record *record, const char *client,
		      const struct timespec *now, char line[ACCESS_LOG_MAX_LINE])
{
	char time[64];
	struct tm utc;
	int n = 0;
	gmtime_r(&now->tv_sec, &utc);
	size_t at = strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(time + at, sizeof time - at, ".%03dZ", (int)(now->tv_nsec / 1000000));
	(form == ACCESS_LOG_JSON ? format_json : format_text)(record, client, time, line, &n);
	return n;
}

static void name_client(const struct sockaddr *address, char client[ACCESS_LOG_MAX_CLIENT])
{
	const void *bytes = NULL;
	strcpy(client, "-");
	if (address && address->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	else if (address && address->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	else if (address && address->sa_family == AF_UNIX)
		strcpy(client, "unix");
	if (bytes)
		inet_ntop(address->sa_family, bytes, client, ACCESS_LOG_MAX_CLIENT);
}

void access_log_write(struct access_log *a, const struct request_record *record, const struct sockaddr *address)
{
	char line[ACCESS_LOG_MAX_LINE], client[ACCESS_LOG_MAX_CLIENT];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	name_client(address, client);
	size_t n = (size_t)access_log_format(a->form, record, client, &now, line);

	pthread_mutex_lock(&a->thread.lock);
	if (n <= BUFFER - a->n_filling) {
		memcpy(a->filling + a->n_filling, line, n);
		a->n_filling += n;
		pthread_cond_signal(&a->thread.changed);
	} else {
		a->n_dropped++;
	}
	pthread_mutex_unlock(&a->thread.lock);
}

uint64_t access_log_dropped(struct access_log *a)
{
	pthread_mutex_lock(&a->thread.lock);
	uint64_t n = a->n_dropped;
	pthread_mutex_unlock(&a->thread.lock);
	return n;
}

// Waits until the reader takes more: without a limit, but at most GRACE_MS in all once the log is being closed. False: it did not.
static bool await_reader(struct access_log *a)
{
	struct pollfd fds[] = { { a->fd, POLLOUT, 0 }, { a->stop_fd, POLLIN, 0 } };
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		continue;
	if (!fds[1].revents)
		return true;
	int64_t now_ns = clock_now_ns();
	if (!a->give_up_ns)
		a->give_up_ns = now_ns + (int64_t)GRACE_MS * 1000000;
	int64_t left_ms = (a->give_up_ns - now_ns) / 1000000;
	return left_ms > 0 && poll(fds, 1, (int)left_ms) > 0;
}

// The size of the whole lines that fit into PIPE_BUF bytes; n > 0.
static size_t whole_lines(const char *bytes, size_t n)
{
	if (n <= PIPE_BUF)
		return n;
	const char *last = memrchr(bytes, '\n', PIPE_BUF);
	return (size_t)(last - bytes) + 1;
}

// Returns how many lines could not be written. *broken: whether a write failed.
static uint64_t write_lines(struct access_log *a, const char *bytes, size_t n, bool *broken)
{
	uint64_t n_lost = 0;
	*broken = false;
	while (n > 0 && await_reader(a)) {
		ssize_t wrote = write(a->fd, bytes, whole_lines(bytes, n));
		if (wrote < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		*broken = wrote < 0;
		if (*broken)
			break;
		bytes += wrote;
		n -= (size_t)wrote;
	}
	for (size_t i = 0; i < n; i++)
		n_lost += bytes[i] == '\n';
	return n_lost;
}

// Logs how many lines were dropped since the last report.
static void report(struct access_log *a, uint64_t n_dropped)
{
	if (n_dropped > a->n_reported)
		log_warning("access log: %" PRIu64 " lines dropped: the reader of standard output is slow or gone",
			    n_dropped - a->n_reported);
	a->n_reported = n_dropped;
}

// Releases the lock for GATHER_MS so that more lines gather: waking up for each line would cost a context switch a request.
static void gather(struct access_log *a)
{
	const struct timespec time = { 0, GATHER_MS * 1000000 };
	pthread_mutex_unlock(&a->thread.lock);
	nanosleep(&time, NULL);
	pthread_mutex_lock(&a->thread.lock);
}

static void *run(void *arg)
{
	struct access_log *a = arg;
	for (;;) {
		pthread_mutex_lock(&a->thread.lock);
		while (a->n_filling == 0 && !a->thread.stopping)
			thread_wait(&a->thread, INT64_MAX);
		if (!a->thread.stopping)
			gather(a);
		char *full = a->filling;
		size_t n = a->n_filling;
		a->filling = a->writing;
		a->n_filling = 0;
		a->writing = full;
		pthread_mutex_unlock(&a->thread.lock);
		if (n == 0)
			break;

		bool broken;
		uint64_t n_lost = write_lines(a, full, n, &broken);
		pthread_mutex_lock(&a->thread.lock);
		a->n_dropped += n_lost;
		uint64_t n_dropped = a->n_dropped;
		pthread_mutex_unlock(&a->thread.lock);
		if (!broken || !a->broken)
			report(a, n_dropped);
		a->broken = broken;
	}
	report(a, access_log_dropped(a));
	return NULL;
}

static void free_memory(struct access_log *a)
{
	if (a->stop_fd >= 0)
		close(a->stop_fd);
	free(a->filling);
	free(a->writing);
	free(a);
}

int access_log_open(enum access_log_form form, int fd, struct access_log **log, struct err *e)
{
	struct access_log *a = calloc(1, sizeof *a);
	if (!a)
		return err_set(e, "no memory for the access log");
	a->form = form;
	a->fd = fd;
	a->stop_fd = eventfd(0, EFD_CLOEXEC);
	a->filling = malloc(BUFFER);
	a->writing = malloc(BUFFER);
	if (a->stop_fd < 0 || !a->filling || !a->writing ? err_set(e, "no memory for the access log")
							 : thread_start(&a->thread, "writes the access log", run, a, e)) {
		free_memory(a);
		return -1;
	}
	*log = a;
	return 0;
}

void access_log_close(struct access_log *a)
{
	if (!a)
		return;
	eventfd_write(a->stop_fd, 1);
	thread_close(&a->thread);
	free_memory(a);
}
