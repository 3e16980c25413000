// err: the error of every function that can fail, as a message for a person.
// A function that can fail returns 0, or -1 with the message written where the fault was seen. On failure its
// outputs are untouched and ownership stays with the caller. A struct err belongs to its caller; no locking.
#pragma once

struct err {
	char msg[512]; // never contains a newline; cut to fit
};

// Writes the message and returns -1, so that a fault is one line: `return err_set(e, "%s: …", path);`.
// Control characters (they may come from outside) are replaced by '?'.
int err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

// As err_set, but returns `status`, for functions that return an HTTP status or 0.
int err_status(struct err *e, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

// As err_set, with ": " and strerror(errno) behind it.
int err_errno(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Puts `context: ` before the message that is there (a file's name before a parser's complaint); returns -1.
int err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
