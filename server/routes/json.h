// json: parses a JSON text from a client into cJSON's tree. cJSON allocates some 64 bytes for a number of two characters, so the values
// are counted first.
#pragma once

#include "core/err.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

// text: n bytes. Returns 0, and *root belongs to the caller; or a status and e for the sender: 413 for more values than max_pictures
// pictures need, 400 for malformed JSON or anything but white space behind the value.
int json_parse(const char *text, size_t n, int max_pictures, cJSON **root, struct err *e);

// An upper estimate of the memory in bytes of the tree of n bytes of JSON.
uint64_t json_memory(size_t n, int max_pictures);
