#include "server/base/route.h"

#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct route routes[] = {
	{ .path = "/", .method = "GET" },        { .path = "/a", .method = "POST" },          { .path = "/m/*", .method = "GET" },
	{ .path = "/m/*/v/*", .method = "GET" }, { .path = "/m/*/v/*/do", .method = "POST" },
};

// "0 first second" of the route's number and parts, or the status.
static const char *find(const char *method, const char *path)
{
	static char found[200];
	const struct route_table table = { routes, sizeof routes / sizeof routes[0], NULL };
	struct route_parts parts = { { "" } };
	struct route_response response = { 0 };
	void *context;
	const struct route *route = route_find(&table, 1, method, path, &context, &parts, &response);
	if (route)
		snprintf(found, sizeof found, "%d %s %s", (int)(route - routes), parts.part[0], parts.part[1]);
	else
		snprintf(found, sizeof found, "%d", response.status);
	free(response.owned);
	return found;
}

TEST(route_finds)
{
	static const struct {
		const char *method, *path, *found;
	} cases[] = {
		{ "GET", "/", "0  " },
		{ "HEAD", "/", "0  " },
		{ "POST", "/a", "1  " },
		{ "GET", "/a", "405" },
		{ "GET", "", "404" },
		{ "POST", "/a/", "404" },
		{ "GET", "//", "404" },
		{ "GET", "/b", "404" },
		{ "GET", "/m/x", "2 x " },
		{ "GET", "/m/", "404" },
		{ "GET", "/m", "404" },
		{ "GET", "/m/x/v/7", "3 x 7" },
		{ "GET", "/m/x/v/", "404" },
		{ "POST", "/m/x/v/7/do", "4 x 7" },
		{ "GET", "/m/x/v/7/do", "405" },
		{ "GET", "/m/*/v/*", "3 * *" },
		{ "GET", "/*", "404" },
		{ "GET", "/m/0123456789012345678901234567890123456789012345678901234567890123", "404" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		CHECK_MSG(strcmp(find(cases[i].method, cases[i].path), cases[i].found) == 0, "%s %s: %s", cases[i].method,
			  cases[i].path, find(cases[i].method, cases[i].path));
}
