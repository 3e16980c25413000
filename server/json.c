// Escapes what has to be: quotes, backslashes, control characters. UTF-8 is checked, since messages quote what came in and
// may be cut in the middle of a character.
#include "server/json.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct json *j, size_t n)
{
	if (!j->failed && j->capacity - j->n <= n) {
		size_t capacity = (j->n + n + 1) * 2;
		char *text = realloc(j->text, capacity);
		if (text) {
			j->text = text;
			j->capacity = capacity;
		} else {
			j->failed = true;
		}
	}
	return !j->failed;
}

static void append(struct json *j, const char *bytes, size_t n)
{
	if (!reserve(j, n))
		return;
	memcpy(j->text + j->n, bytes, n);
	j->n += n;
	j->text[j->n] = 0;
}

void json_printf(struct json *j, const char *format, ...)
{
	char small[256];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(small, sizeof small, format, args);
	va_end(args);
	if (n < 0) {
		j->failed = true;
	} else if ((size_t)n < sizeof small) {
		append(j, small, (size_t)n);
	} else if (reserve(j, (size_t)n)) {
		va_start(args, format);
		vsnprintf(j->text + j->n, (size_t)n + 1, format, args);
		va_end(args);
		j->n += (size_t)n;
	}
}

char *json_take(struct json *j, size_t *n)
{
	char *text = j->text;
	if (j->failed) {
		free(text);
		text = NULL;
	}
	*n = j->n;
	*j = (struct json){ 0 };
	return text;
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

void json_string(struct json *j, const char *s)
{
	append(j, "\"", 1);
	while (*s) {
		size_t n = utf8_length(s);
		if (*s == '"' || *s == '\\')
			json_printf(j, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			json_printf(j, "\\u%04x", (unsigned)*s);
		else if (n)
			append(j, s, n);
		else
			append(j, "?", 1);
		s += n ? n : 1;
	}
	append(j, "\"", 1);
}
