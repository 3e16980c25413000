#include "core/text.h"

#include "tests/unit/test.h"

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
