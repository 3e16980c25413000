// access_log: writes a line for each request. A separate thread writes, so that request threads never wait for the log's reader. Lines
// that do not fit into the buffer are dropped and counted.
#pragma once

#include "core/err.h"
#include "server/observe/request_record.h"

#include <stdint.h>
#include <time.h>

struct sockaddr;

enum access_log_form { ACCESS_LOG_OFF, ACCESS_LOG_TEXT, ACCESS_LOG_JSON };
enum { ACCESS_LOG_MAX_LINE = 1536, ACCESS_LOG_MAX_CLIENT = 64 };

struct access_log;

// Writes to fd, which is borrowed. form is not ACCESS_LOG_OFF.
int access_log_open(enum access_log_form form, int fd, struct access_log **log, struct err *e);

// Gives the reader a second for the lines that are left, and drops the rest. NULL is fine.
void access_log_close(struct access_log *log);

// Appends the line of a request that has ended. client: its address, or NULL if unknown. Any thread; does not wait for the reader.
void access_log_write(struct access_log *log, const struct request_record *record, const struct sockaddr *client);

uint64_t access_log_dropped(struct access_log *log); // lines since start-up; any thread

// Formats one line with its newline and returns its length. client is printed as it is. Pure.
int access_log_format(enum access_log_form form, const struct request_record *record, const char *client,
		      const struct timespec *now, char line[ACCESS_LOG_MAX_LINE]);
