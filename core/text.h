// text: a string that grows, for answers in JSON; cJSON would build a tree and print numbers with other digits. If memory runs out the
// text is marked as failed and later calls do nothing, so only text_take and text_print need a check. One thread at a time.
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// Zero-initialise; ends in text_take or text_print.
struct text {
	char *bytes; // NULL until something is written
	size_t n, capacity;
	bool failed;
};

void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

void text_append(struct text *t, const char *s); // unescaped
void text_append_bytes(struct text *t, const void *bytes, size_t n); // the same; the bytes may include zeros

// As printf's %.9g: nine digits read back as the same float.
void text_float(struct text *t, float value);

// s as a JSON string, in quotes and escaped (RFC 8259 section 7). Bytes that are not UTF-8 become '?'.
void text_quote(struct text *t, const char *s);

// Bytes of the UTF-8 sequence (RFC 3629) that begins the n bytes at s, or 0 if none does. Refuses overlong forms, surrogates and
// what is above U+10FFFF.
size_t text_utf8_length(const void *s, size_t n);

// Returns the whole text, which the caller frees, or NULL if memory ran out. *n: its length.
char *text_take(struct text *t, size_t *n);

// Writes the whole text to a stream and frees it. Fails only if memory ran out; the stream keeps its own error.
int text_print(struct text *t, FILE *to, struct err *e);
