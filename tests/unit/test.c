// The runner: `unit-tests [SUBSTRING…]` runs the tests whose names contain one of the words, or all.
#include "tests/unit/test.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct test *tests;
static int n_failures, n_skips; // of the test that runs

void test_register(struct test *test)
{
	struct test **at = &tests;
	while (*at && strcmp((*at)->name, test->name) < 0)
		at = &(*at)->next;
	test->next = *at;
	*at = test;
}

static void say(const char *what, const char *format, va_list args)
{
	printf("  %s ", what);
	vprintf(format, args);
	putchar('\n');
}

void test_fail(const char *file, int line, const char *format, ...)
{
	char where[256];
	snprintf(where, sizeof where, "%s:%d: failed:", file, line);
	va_list args;
	va_start(args, format);
	if (n_failures++ < 20)
		say(where, format, args);
	va_end(args);
}

void test_skip(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say("SKIPPED:", format, args);
	va_end(args);
	n_skips++;
}

bool test_is_short(void)
{
	return getenv("TEST_SHORT") != NULL;
}

void test_figure(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say("figure:", format, args);
	va_end(args);
}

double test_error(const float *got, const float *want, size_t n)
{
	double difference = 0, norm = 0;
	for (size_t i = 0; i < n; i++) {
		double d = (double)got[i] - (double)want[i];
		difference += d * d;
		norm += (double)want[i] * (double)want[i];
	}
	double error = sqrt(difference / norm);
	return isfinite(error) ? error : HUGE_VAL;
}

unsigned char *test_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	long size;
	unsigned char *bytes;
	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) || !(bytes = malloc((size_t)size + 1)) ||
	    fread(bytes, 1, (size_t)size, f) != (size_t)size) {
		fprintf(stderr, "unit-tests: cannot read %s (run in the repository's root)\n", path);
		exit(2);
	}
	fclose(f);
	*n = (size_t)size;
	return bytes;
}

static bool chosen(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(name, argv[i]))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	int passed = 0, failed = 0, skipped = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *t = tests; t; t = t->next) {
		if (!chosen(t->name, argc, argv))
			continue;
		n_failures = n_skips = 0;
		t->run();
		printf("%s %s\n", n_failures ? "FAIL" : n_skips ? "skip" : "ok  ", t->name);
		failed += n_failures > 0;
		skipped += !n_failures && n_skips;
		passed += !n_failures && !n_skips;
	}
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed > 0 || passed + failed + skipped == 0;
}
