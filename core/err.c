// The buffer has a fixed size: reporting an error never allocates, so it cannot fail.
#include "core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

static void set(struct err *e, const char *format, va_list args)
{
	vsnprintf(e->msg, sizeof e->msg, format, args);
	clean(e->msg);
}

static void append(char *to, size_t size, const char *glue, const char *tail)
{
	size_t used = strlen(to);
	if (snprintf(to + used, size - used, "%s%s", glue, tail) < 0)
		to[used] = '\0';
}

int err_set(struct err *e, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set(e, format, args);
	va_end(args);
	return -1;
}

int err_status(struct err *e, int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set(e, format, args);
	va_end(args);
	return status;
}

int err_errno(struct err *e, const char *format, ...)
{
	int saved = errno;
	va_list args;
	va_start(args, format);
	set(e, format, args);
	va_end(args);
	append(e->msg, sizeof e->msg, ": ", strerror(saved));
	return -1;
}

int err_prefix(struct err *e, const char *format, ...)
{
	struct err front;
	va_list args;
	va_start(args, format);
	set(&front, format, args);
	va_end(args);
	append(front.msg, sizeof front.msg, ": ", e->msg);
	*e = front;
	return -1;
}
