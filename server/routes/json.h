// json: parses a JSON text from outside into cJSON's tree. cJSON takes some 64 bytes for a number of two characters, so values are
// counted before it may build them.
#pragma once

#include "core/err.h"

#include <cjson/cJSON.h>
#include <stddef.h>

// text: n bytes. 0, and *root belongs to the caller; or the status and e for the sender: 413 for more values than max_pictures
// pictures need, 400 for malformed JSON, also for anything but white space behind the value.
int json_parse(const char *text, size_t n, int max_pictures, cJSON **root, struct err *e);
