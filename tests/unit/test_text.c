#include "core/text.h"

#include "core/rng.h"
#include "tests/unit/test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(text_quotes_what_json_wants_quoted)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "", "\"\"" },
		{ "a\"b\\c\n\x01", "\"a\\\"b\\\\c\\u000a\\u0001\"" },
		{ "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"" },
		{ "\xc3", "\"?\"" }, // cut
		{ "\xe2\x82", "\"??\"" }, // cut
		{ "\xc0\xaf", "\"??\"" }, // overlong
		{ "\xe0\x80\xaf", "\"???\"" }, // overlong
		{ "\xed\xa0\x80", "\"???\"" }, // a surrogate
		{ "\xf4\x90\x80\x80", "\"????\"" }, // past the last code point
		{ "\xff", "\"?\"" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct text t = { 0 };
		size_t n;
		text_quote(&t, cases[i].from);
		char *got = text_take(&t, &n);
		CHECK_MSG(got && strcmp(got, cases[i].to) == 0 && n == strlen(got), "case %zu: %s", i, got);
		free(got);
	}
}

TEST(text_grows)
{
	struct text t = { 0 };
	char long_string[1000];
	size_t n;
	memset(long_string, 'x', sizeof long_string - 1);
	long_string[sizeof long_string - 1] = 0;
	for (int i = 0; i < 100; i++)
		text_printf(&t, "%d %s;", i, long_string);
	char *got = text_take(&t, &n);
	CHECK(got && n == strlen(got) && n == 10 * 1002 + 90 * 1003);
	CHECK(got && strncmp(got + n - 5, "xxxx;", 5) == 0);
	free(got);
}

// The other implementation is the C library's.
static void check_float(float value)
{
	struct text t = { 0 };
	size_t n;
	char want[64];
	text_float(&t, value);
	snprintf(want, sizeof want, "%.9g", (double)value);
	char *got = text_take(&t, &n);
	CHECK_MSG(got && strcmp(got, want) == 0, "%a: %s, not %s", (double)value, got ? got : "nothing", want);
	free(got);
}

TEST(text_writes_floats_as_printf_does)
{
	static const float some[] = { 0,
				      1,
				      10,
				      0.1f,
				      0.5f,
				      123456792,
				      999999936,
				      1e9f,
				      1e-4f,
				      9.9999997e-5f,
				      1e-5f,
				      0.999967754f,
				      FLT_MAX,
				      FLT_MIN,
				      FLT_TRUE_MIN,
				      1e35f,
				      1e-35f,
				      INFINITY,
				      16777215.5f / 8,
				      0.0000152587890625f,
				      2097151.875f,
				      8388608.5f };
	for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
		check_float(some[i]);
		check_float(-some[i]);
	}
	float power = 1e-38f;
	for (int k = -38; k <= 38; k++, power = (float)pow(10, k)) {
		float below = power, above = power;
		for (int i = 0; i < 20; i++) {
			check_float(below);
			check_float(above);
			below = nextafterf(below, 0);
			above = nextafterf(above, INFINITY);
		}
	}
	for (int e = -149; e < 128; e++) // few bits: ends with a 5 that may stand right behind the ninth digit
		for (int m = 1; m < 300; m += 2)
			check_float(ldexpf((float)m, e));
	struct rng rng;
	rng_init(&rng, 9);
	for (int i = 0; i < 300000; i++) {
		uint32_t bits = rng_next(&rng);
		float value;
		memcpy(&value, &bits, sizeof value);
		if (isfinite(value))
			check_float(value);
	}
}
