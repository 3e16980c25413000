// json: a JSON text from outside → cJSON's tree, bounded. cJSON spends some 64 bytes on a number of two characters: what it would
// build is counted before it may build it.
#pragma once

#include "core/err.h"

#include <cjson/cJSON.h>
#include <stddef.h>

// text: n bytes, with nothing but white space behind the value. 0 and the caller's *root; or the status for the sender and e: 413 for
// more values than max_pictures pictures need, 400 for what is malformed.
int json_parse(const char *text, size_t n, int max_pictures, cJSON **root, struct err *e);
