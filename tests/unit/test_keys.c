#include "server/http/keys.h"

#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY "0123456789abcdef"

TEST(keys_parse_lines)
{
	static const struct {
		const char *text;
		int n; // -1: refused
	} cases[] = {
		{ KEY, 1 },
		{ KEY "\n", 1 },
		{ "\n# remark\n \t" KEY " a phone\r\n\r\n" KEY "x\t# another\n#" KEY, 2 },
		{ "abcDEF012-._~+/=\n", 1 },
		{ "", -1 },
		{ "# " KEY, -1 },
		{ "0123456789abcde", -1 },
		{ KEY "\n0123\n", -1 },
		{ KEY "#\n", -1 },
		{ KEY "\n0123456789abcd\xc3\xa9", -1 },
		{ KEY ",", -1 },
	};
	static struct keys_set set;
	struct err e;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int parsed = keys_parse(cases[i].text, strlen(cases[i].text), &set, &e);
		CHECK_MSG((parsed ? -1 : set.n) == cases[i].n, "case %zu: %d, %d keys", i, parsed, set.n);
	}
	CHECK(keys_parse(KEY "\n" KEY "\0", sizeof KEY + sizeof KEY, &set, &e) == -1 && strstr(e.msg, "line 2"));
	char longest[300];
	memset(longest, 'k', sizeof longest);
	CHECK(keys_parse(longest, 256, &set, &e) == 0 && keys_parse(longest, 257, &set, &e) == -1);

	enum { LINE = sizeof KEY };
	char *many = malloc((KEYS_MAX + 1) * LINE);
	for (int i = 0; i <= KEYS_MAX; i++)
		memcpy(many + i * LINE, KEY "\n", LINE);
	CHECK(keys_parse(many, KEYS_MAX * LINE, &set, &e) == 0 && set.n == KEYS_MAX);
	CHECK(keys_parse(many, (KEYS_MAX + 1) * LINE, &set, &e) == -1);
	free(many);
}

static void overwrite(int fd, const char *text)
{
	CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
}

TEST(keys_are_replaced_as_a_whole)
{
	char path[] = "/tmp/lenet-keys-XXXXXX";
	int fd = mkstemp(path);
	struct keys *keys;
	struct err e;
	overwrite(fd, KEY "\n" KEY "2\n");
	CHECK(keys_open(path, &keys, &e) == 0);
	CHECK(keys_know(keys, KEY) && keys_know(keys, KEY "2") && !keys_know(keys, KEY "3") && !keys_know(keys, ""));
	overwrite(fd, KEY "3\n");
	CHECK(keys_load(keys, &e) == 0);
	CHECK(!keys_know(keys, KEY) && keys_know(keys, KEY "3"));
	overwrite(fd, KEY "4\nshort\n");
	CHECK(keys_load(keys, &e) == -1 && strstr(e.msg, path) && strstr(e.msg, "line 2"));
	CHECK(keys_know(keys, KEY "3") && !keys_know(keys, KEY "4"));
	keys_close(keys);
	close(fd);
	unlink(path);
	CHECK(keys_open(path, &keys, &e) == -1 && strstr(e.msg, path));
}
