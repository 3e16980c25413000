// file: whole files into memory, for the commands.
#pragma once

#include "core/err.h"

#include <stddef.h>

// Reads all of `path`, or of standard input where it is "-". Refused above max_bytes. The caller frees; a zero byte, not
// counted in *n, stands behind the content. NULL, and e names the file, on failure.
unsigned char *file_read(const char *path, size_t max_bytes, size_t *n, struct err *e);

int file_write(const char *path, const void *bytes, size_t n, struct err *e);
