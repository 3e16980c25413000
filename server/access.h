// access: the access log, a line a request. A thread of its own writes, so that nobody who answers waits for who reads: what does
// not fit into a buffer meanwhile is dropped and counted.
#pragma once

#include "core/err.h"
#include "server/note.h"

#include <stdint.h>
#include <time.h>

struct sockaddr;

enum access_form { ACCESS_OFF, ACCESS_TEXT, ACCESS_JSON };
enum { ACCESS_MAX_LINE = 1024, ACCESS_MAX_CLIENT = 64 };

struct access;

// Writes to fd, which is borrowed. form is not ACCESS_OFF.
int access_open(enum access_form form, int fd, struct access **access, struct err *e);

// Gives the reader a second for what is still there, and drops the rest. NULL is fine.
void access_close(struct access *access);

// The request has ended. client: its address, NULL if that is not known. Any thread; never waits for the reader.
void access_write(struct access *access, const struct note *note, const struct sockaddr *client);

uint64_t access_dropped(struct access *access); // lines, since the start; any thread

// One line with its newline, a function of these alone. client: printed as it is. Returns its length.
int access_format(enum access_form form, const struct note *note, const char *client, const struct timespec *now,
		  char line[ACCESS_MAX_LINE]);
