#include "server/http/body.h"

#include "tests/unit/test.h"

#include <string.h>

TEST(body_grows_within_the_budget)
{
	static char bytes[10000];
	struct body_budget budget = { .max = 10000 };
	char small[2][BODY_SMALL];
	struct body a, b;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i % 251);
	body_init(&a, small[0]);
	body_init(&b, small[1]);
	CHECK(body_append(&budget, &a, bytes, BODY_SMALL - 1, 5999) && a.bytes == small[0] && budget.used == 0);
	CHECK(body_append(&budget, &a, bytes + a.n, 1, 5999) && a.bytes != small[0] && budget.used == 2 * (BODY_SMALL + 1));
	CHECK(body_append(&budget, &a, bytes + a.n, 2000, 5999) && budget.used == 6000 && a.n == BODY_SMALL + 2000);
	CHECK(!body_append(&budget, &b, bytes, 4000, 4000) && budget.used == 6000 && b.bytes == small[1] && b.n == 0);
	CHECK(body_append(&budget, &b, bytes, 3999, 3999) && budget.used == 10000);
	CHECK(!body_append(&budget, &a, bytes + a.n, 5999 - a.n + 1, 10000) && a.capacity == 6000);
	CHECK(a.n == BODY_SMALL + 2000 && memcmp(a.bytes, bytes, a.n) == 0);
	body_free(&budget, &a);
	CHECK(budget.used == 4000 && a.bytes == small[0] && a.n == 0);
	body_free(&budget, &a);
	body_free(&budget, &b);
	CHECK(budget.used == 0);
}

TEST(body_that_is_longer_than_expected)
{
	static const char bytes[3 * BODY_SMALL] = { 1 };
	struct body_budget budget = { .max = 10000 };
	char small[BODY_SMALL];
	struct body body;
	body_init(&body, small);
	CHECK(body_append(&budget, &body, bytes, BODY_SMALL, 5) && body.capacity > body.n);
	CHECK(body_append(&budget, &body, bytes, sizeof bytes, 5) && body.n == BODY_SMALL + sizeof bytes && body.capacity > body.n);
	body_free(&budget, &body);
}
