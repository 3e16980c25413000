// access: the access log, a line a request. A thread of its own writes, so that nobody who answers waits for who reads: what does
// not fit into a buffer meanwhile is dropped and counted.
#pragma once

#include "core/err.h"
#include "server/observe/request_record.h"

#include <stdint.h>
#include <time.h>

struct sockaddr;

enum access_log_form { ACCESS_LOG_OFF, ACCESS_LOG_TEXT, ACCESS_LOG_JSON };
enum { ACCESS_LOG_MAX_LINE = 1024, ACCESS_LOG_MAX_CLIENT = 64 };

struct access_log;

// Writes to fd, which is borrowed. form is not ACCESS_LOG_OFF.
int access_log_open(enum access_log_form form, int fd, struct access_log **access, struct err *e);

// Gives the reader a second for what is still there, and drops the rest. NULL is fine.
void access_log_close(struct access_log *access);

// The request has ended. client: its address, NULL if that is not known. Any thread; never waits for the reader.
void access_log_write(struct access_log *access, const struct request_record *record, const struct sockaddr *client);

uint64_t access_log_dropped(struct access_log *access); // lines, since the start; any thread

// One line with its newline, a function of these alone. client: printed as it is. Returns its length.
int access_log_format(enum access_log_form form, const struct request_record *record, const char *client,
		      const struct timespec *now, char line[ACCESS_LOG_MAX_LINE]);
