// file: reads and writes whole files. No state; any thread may call.
#pragma once

#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

// The whole file, or standard input if path is "-", at most max_bytes of it: a longer one is refused. The caller frees *bytes, which is never NULL after
// success. Every message begins with the path.
int file_read(const char *path, size_t max_bytes, uint8_t **bytes, size_t *n, struct err *e);

// Writes through a temporary file in the same directory, synced and renamed, so that a reader of `path` sees the old
// content or the new one, also after a crash. After a failure the old file is untouched and no temporary one is left. A
// symbolic link is followed; anything but a regular file is refused.
int file_write(const char *path, const void *bytes, size_t n, struct err *e);

// Copies the last line of a text file that is not empty, cut to fit, or "" where there is none: the last message of a program that
// failed.
void file_last_line(const char *path, char *line, size_t size);
