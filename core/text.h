// text: text that grows, for answers in JSON. cJSON prints numbers with other digits than ours, and a tree for ten floats is
// waste. No memory: the text is marked as failed and everything more is dropped, so that only the end needs a check.
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

void text_append(struct text *t, const char *s); // as it is
void text_append_bytes(struct text *t, const void *bytes, size_t n); // the same, and zeros are nothing special

// As printf's %.9g writes it: a float reads back as itself from so many digits.
void text_float(struct text *t, float value);

// s as a JSON string, in quotes and escaped (RFC 8259 section 7). Bytes that are not UTF-8 become '?'.
void text_quote(struct text *t, const char *s);

// Bytes of the UTF-8 sequence (RFC 3629) that begins the n bytes at s, or 0 if none does. Refuses overlong forms, surrogates and
// what is above U+10FFFF.
size_t text_utf8_length(const void *s, size_t n);

// The whole text, which is the caller's then; NULL if memory ran out somewhere. *n: its length.
char *text_take(struct text *t, size_t *n);

// Writes the whole text to a stream and frees it. An error only if memory ran out: the stream keeps its own.
int text_print(struct text *t, FILE *to, struct err *e);
