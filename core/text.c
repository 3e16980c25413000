// Escapes what has to be: quotes, backslashes, control characters. UTF-8 is checked, since messages quote what came in and
// may be cut in the middle of a character.
#include "core/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct text *t, size_t n)
{
	if (!t->failed && t->capacity - t->n <= n) {
		size_t capacity = (t->n + n + 1) * 2;
		char *bytes = realloc(t->bytes, capacity);
		if (bytes) {
			t->bytes = bytes;
			t->capacity = capacity;
		} else {
			t->failed = true;
		}
	}
	return !t->failed;
}

static void append(struct text *t, const char *bytes, size_t n)
{
	if (!reserve(t, n))
		return;
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
	t->bytes[t->n] = 0;
}

void text_printf(struct text *t, const char *format, ...)
{
	char small[256];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(small, sizeof small, format, args);
	va_end(args);
	if (n < 0) {
		t->failed = true;
	} else if ((size_t)n < sizeof small) {
		append(t, small, (size_t)n);
	} else if (reserve(t, (size_t)n)) {
		va_start(args, format);
		vsnprintf(t->bytes + t->n, (size_t)n + 1, format, args);
		va_end(args);
		t->n += (size_t)n;
	}
}

char *text_take(struct text *t, size_t *n)
{
	char *bytes = t->bytes;
	if (t->failed) {
		free(bytes);
		bytes = NULL;
	}
	*n = t->n;
	*t = (struct text){ 0 };
	return bytes;
}

int text_print(struct text *t, FILE *to, struct err *e)
{
	size_t n;
	char *bytes = text_take(t, &n);
	if (!bytes)
		return err_set(e, "out of memory");
	fwrite(bytes, 1, n, to);
	free(bytes);
	return 0;
}

// Length of the UTF-8 sequence at s (RFC 3629), or 0 if there is none. s ends with a 0.
static size_t utf8_length(const char *s)
{
	const uint8_t *u = (const uint8_t *)s;
	size_t n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;
	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xf0 && u[1] < 0x90);
	bool outside = (u[0] == 0xed && u[1] >= 0xa0) || (u[0] == 0xf4 && u[1] >= 0x90);
	return overlong || outside ? 0 : n;
}

void text_quote(struct text *t, const char *s)
{
	append(t, "\"", 1);
	while (*s) {
		size_t n = utf8_length(s);
		if (*s == '"' || *s == '\\')
			text_printf(t, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			text_printf(t, "\\u%04x", (unsigned)*s);
		else if (n)
			append(t, s, n);
		else
			append(t, "?", 1);
		s += n ? n : 1;
	}
	append(t, "\"", 1);
}
