// text_quote escapes quotes, backslashes and control characters, and checks UTF-8: messages quote a client's text and may be cut in the
// middle of a character.
#include "core/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_DIGITS = 9, FIRST_CAPACITY = 512 }; // an answer for one picture fits

static bool reserve(struct text *t, size_t n)
{
	if (!t->failed && t->capacity - t->n <= n) {
		size_t capacity = t->n + n < FIRST_CAPACITY / 2 ? FIRST_CAPACITY : (t->n + n + 1) * 2;
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

static void put(struct text *t, const char *bytes, size_t n)
{
	if (!reserve(t, n))
		return;
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
	t->bytes[t->n] = 0;
}

void text_append_bytes(struct text *t, const void *bytes, size_t n)
{
	put(t, bytes, n);
}

void text_append(struct text *t, const char *s)
{
	put(t, s, strlen(s));
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
		put(t, small, (size_t)n);
	} else if (reserve(t, (size_t)n)) {
		va_start(args, format);
		vsnprintf(t->bytes + t->n, (size_t)n + 1, format, args);
		va_end(args);
		t->n += (size_t)n;
	}
}

// n·10^(exponent - 8), n of nine digits, as %g writes it: without trailing zeros, and with an exponent if it is far from 1.
static void append_decimal(struct text *t, bool negative, uint32_t n, int exponent)
{
	char digits[N_DIGITS], out[32], *c = out;
	int n_digits = N_DIGITS;
	for (int i = N_DIGITS - 1; i >= 0; i--, n /= 10)
		digits[i] = (char)('0' + n % 10);
	while (digits[n_digits - 1] == '0')
		n_digits--;
	bool scientific = exponent < -4 || exponent >= N_DIGITS;
	int n_before = scientific ? 1 : exponent + 1; // digits before the point, or as many zeros behind it if below 0
	if (negative)
		*c++ = '-';
	if (n_before <= 0) {
		*c++ = '0';
		*c++ = '.';
	}
	for (int i = n_before; i < 0; i++)
		*c++ = '0';
	for (int i = 0; i < n_digits || i < n_before; i++) {
		if (i == n_before && i > 0)
			*c++ = '.';
		*c++ = i < n_digits ? digits[i] : '0';
	}
	if (scientific) {
		int e = exponent < 0 ? -exponent : exponent; // below 100
		*c++ = 'e';
		*c++ = exponent < 0 ? '-' : '+';
		*c++ = (char)('0' + e / 10);
		*c++ = (char)('0' + e % 10);
	}
	put(t, out, (size_t)(c - out));
}

// x·10^k for k from -44 to 44, within 2 ulp: up to 10^22 powers of ten are doubles.
static double scale(double x, int k)
{
	static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
					 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	enum { MOST = sizeof powers / sizeof powers[0] - 1 };
	int n = k < 0 ? -k : k, rest = n > MOST ? n - MOST : 0;
	return k < 0 ? x / powers[n - rest] / powers[rest] : x * powers[n - rest] * powers[rest];
}

// The nine digits are a double's whole part, which is off by less than 1e-6; where that could decide how to round, and where
// the powers of ten end, printf does it.
void text_float(struct text *t, float value)
{
	double x = fabs((double)value), digits = 0, fraction = 0.5;
	int exponent = 0;
	if (x >= 1e-35 && x < 1e35) {
		exponent = (int)floor(ilogb(x) * 0.30102999566);
		digits = scale(x, N_DIGITS - 1 - exponent);
		if (digits >= 1e9)
			digits = scale(x, N_DIGITS - 1 - ++exponent);
		fraction = digits - floor(digits);
	}
	if (fabs(fraction - 0.5) < 1e-5) {
		text_printf(t, "%.*g", N_DIGITS, (double)value);
		return;
	}
	uint32_t n = (uint32_t)digits + (fraction > 0.5);
	if (n == 1000000000)
		append_decimal(t, value < 0, n / 10, exponent + 1);
	else
		append_decimal(t, value < 0, n, exponent);
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

size_t text_utf8_length(const void *s, size_t n)
{
	const uint8_t *u = s;
	if (n == 0)
		return 0;
	size_t length = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;
	if (length > n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xf0 && u[1] < 0x90);
	bool outside = (u[0] == 0xed && u[1] >= 0xa0) || (u[0] == 0xf4 && u[1] >= 0x90);
	return overlong || outside ? 0 : length;
}

void text_quote(struct text *t, const char *s)
{
	put(t, "\"", 1);
	const char *end = s + strlen(s);
	while (s < end) {
		size_t n = text_utf8_length(s, (size_t)(end - s));
		if (*s == '"' || *s == '\\')
			text_printf(t, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			text_printf(t, "\\u%04x", (unsigned)*s);
		else if (n)
			put(t, s, n);
		else
			put(t, "?", 1);
		s += n ? n : 1;
	}
	put(t, "\"", 1);
}
