#include "core/decimal.h"

#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

TEST(decimal_takes_digits_and_a_point)
{
	static const struct {
		const char *text;
		float number;
	} good[] = { { "0", 0 }, { "1", 1 }, { "0.5", 0.5f }, { "00.250", 0.25f }, { "0.899999976", 0.9f }, { "10", 10 } };
	static const char *const bad[] = {
		"",    ".",   "1.",  ".5",  "-0",  "+1",    " 1",   "1 ",
		"1e0", "0x1", "nan", "inf", "1,5", "1.5.0", "10.1", "0.00000000000000000000000000000001"
	};
	float number;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		CHECK_MSG(decimal_parse(good[i].text, 0, 10, &number) && number == good[i].number, "%s", good[i].text);
	number = 7;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK_MSG(!decimal_parse(bad[i], 0, 10, &number) && number == 7, "%s", bad[i]);
	CHECK(!decimal_parse("0.009", 0.01, 100, &number) && decimal_parse("0.01", 0.01, 100, &number));
}

TEST(decimal_prints_the_shortest_that_reads_back)
{
	static const struct {
		float number;
		const char *text;
	} cases[] = {
		{ 0, "0" },     { 1, "1" },          { 0.9f, "0.9" },          { 0.8765f, "0.8765" }, { 1 / 3.f, "0.33333334" },
		{ 100, "100" }, { 1e-4f, "0.0001" }, { 1e-12f, "0.000000000" }
	};
	char text[DECIMAL_BYTES];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		decimal_print(cases[i].number, text);
		CHECK_MSG(strcmp(text, cases[i].text) == 0, "%s, not %s", text, cases[i].text);
	}
}
