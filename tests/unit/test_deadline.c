#include "server/routes/deadline.h"

#include "tests/unit/test.h"

#include <string.h>

struct headers {
	const char *own, *envoys;
};

static const char *find_header(const void *arg, const char *name)
{
	const struct headers *h = arg;
	return strcmp(name, "X-Request-Timeout-Ms") == 0             ? h->own
	       : strcmp(name, "X-Envoy-Expected-Rq-Timeout-Ms") == 0 ? h->envoys
								     : NULL;
}

TEST(deadline_is_shortened_only)
{
	static const struct {
		struct headers headers;
		int ms;
	} cases[] = {
		{ { NULL, NULL }, 5000 },
		{ { "0", NULL }, 0 },
		{ { "250", NULL }, 250 },
		{ { "4999", NULL }, 4999 },
		{ { "5001", NULL }, 5000 },
		{ { NULL, "15000" }, 5000 },
		{ { NULL, "7" }, 7 },
		{ { "9", "7" }, 9 },
		{ { "99999999999999999999", NULL }, 5000 },
		{ { "000000000000000012", NULL }, 12 },
		{ { "", NULL }, -1 },
		{ { "-1", NULL }, -1 },
		{ { "+1", NULL }, -1 },
		{ { "1.5", NULL }, -1 },
		{ { "10s", NULL }, -1 },
		{ { " 1", NULL }, -1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct route_request request = { .find_header = find_header, .headers = &cases[i].headers };
		struct err e;
		int ms = deadline_read(&request, 5000, &e);
		CHECK_MSG(ms == cases[i].ms, "case %zu: %d", i, ms);
		CHECK(ms >= 0 || strstr(e.msg, "X-Request-Timeout-Ms"));
	}
}
