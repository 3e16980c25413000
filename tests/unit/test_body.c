#include "server/body.h"

#include "tests/unit/test.h"

#include <string.h>

TEST(body_grows_within_the_budget)
{
	struct body_budget budget = { .max = 10000 };
	char small[2][BODY_SMALL];
	struct body a, b;
	body_init(&a, small[0]);
	body_init(&b, small[1]);
	CHECK(body_reserve(&budget, &a, BODY_SMALL) && a.bytes == small[0] && budget.used == 0);
	memcpy(a.bytes, "body", a.n = 4);
	CHECK(body_reserve(&budget, &a, 3000) && budget.used == 3000 && a.capacity == 3000 && memcmp(a.bytes, "body", 4) == 0);
	CHECK(body_reserve(&budget, &a, 6000) && budget.used == 6000 && memcmp(a.bytes, "body", 4) == 0);
	CHECK(!body_reserve(&budget, &b, 4001) && budget.used == 6000 && b.bytes == small[1] && b.capacity == BODY_SMALL);
	CHECK(body_reserve(&budget, &b, 4000) && budget.used == 10000);
	CHECK(!body_reserve(&budget, &a, 6001) && a.capacity == 6000 && memcmp(a.bytes, "body", 4) == 0);
	body_free(&budget, &a);
	CHECK(budget.used == 4000 && a.bytes == small[0] && a.n == 0);
	body_free(&budget, &a);
	body_free(&budget, &b);
	CHECK(budget.used == 0);
}
