// json: text that grows, for answers. cJSON prints numbers with other digits than ours, and a tree for ten floats is waste.
// No memory: the text is marked as failed and everything more is dropped, so that only the end needs a check.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Zero-initialise; ends in json_take.
struct json {
	char *text; // NULL until something is written
	size_t n, capacity;
	bool failed;
};

void json_printf(struct json *j, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The whole text, which is the caller's then; NULL if memory ran out somewhere. *n: its length.
char *json_take(struct json *j, size_t *n);

// s in quotes, escaped (RFC 8259 section 7). Bytes that are not UTF-8 become '?'.
void json_string(struct json *j, const char *s);
