#include "server/http/gather.h"

#include "tests/unit/test.h"

static int n_passes, n_calls; // of `compute`, and what it was given in all
static long sum;

struct number {
	struct route_call call;
	int value;
};

static void compute(struct route_call *const *calls, int n)
{
	CHECK(n > 0 && n <= ROUTE_MAX_CALLS);
	n_passes++;
	n_calls += n;
	for (int i = 0; i < n; i++)
		sum += ((struct number *)calls[i])->value;
}

TEST(gather_computes_each_worker_apart)
{
	const struct route_worker a = { .compute = compute }, b = { .compute = compute };
	struct gather_entry entries[2 * ROUTE_MAX_CALLS + 4];
	struct number numbers[2 * ROUTE_MAX_CALLS + 4];
	enum { N = sizeof entries / sizeof entries[0] };
	n_passes = n_calls = 0;
	sum = 0;
	for (int i = 0; i < N; i++) {
		numbers[i] = (struct number){ { .worker = i % 2 ? &b : &a }, 1 };
		gather_add(&entries[i], &numbers[i].call);
	}
	numbers[1].value = 1000;
	gather_remove(&entries[1]);
	gather_remove(&entries[1]);
	gather_remove(&entries[N - 1]);
	CHECK(!entries[1].waiting && entries[2].waiting);
	gather_compute();
	CHECK(n_calls == N - 2 && sum == N - 2);
	CHECK_MSG(n_passes == 3, "%d passes", n_passes); // one of a's is one too many for a pass
	CHECK(!entries[0].waiting);
	gather_remove(&entries[0]);
	gather_compute(); // nothing
	CHECK(n_passes == 3);
}
