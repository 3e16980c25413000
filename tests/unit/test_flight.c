#include "server/flight.h"

#include "tests/unit/test.h"

enum { FOR_EVER = 1 << 20 }; // seconds: who waits for a connection that is gone is never done

TEST(flight_lands_when_all_are_answered)
{
	struct flight f;
	bool fresh[3];
	flight_init(&f);
	flight_expect(&f); // and it is begun by somebody else
	flight_expect(&f);
	flight_expect_no_more(&f);
	CHECK(f.n_fresh == 1);
	for (int i = 0; i < 3; i++)
		flight_begin_connection(&f, &fresh[i]);
	CHECK(f.n_fresh == 3 && f.n_expected == 0);
	CHECK(flight_begin_request(&f, &fresh[0]) && !fresh[0]);
	flight_end_request(&f);
	CHECK(flight_begin_request(&f, &fresh[0]) && flight_begin_request(&f, &fresh[1]) && f.n_requests == 2);
	flight_end_request(&f);
	flight_end_request(&f);
	flight_end_connection(&f, fresh[0]);
	flight_end_connection(&f, fresh[2]); // without a request
	flight_land(&f, FOR_EVER);
	CHECK(!flight_begin_request(&f, &fresh[1]) && f.n_requests == 0);
	flight_end_connection(&f, fresh[1]);
	CHECK(f.n_fresh == 0);
	flight_fini(&f);
}

static void *ask_and_end(void *arg)
{
	struct flight *f = arg;
	bool fresh = true;
	CHECK(flight_begin_request(f, &fresh)); // before it lands: it waits for this one
	flight_end_request(f);
	flight_end_connection(f, fresh);
	return NULL;
}

TEST(flight_waits_for_the_first_request)
{
	struct flight f;
	bool fresh;
	pthread_t thread;
	flight_init(&f);
	flight_begin_connection(&f, &fresh);
	pthread_create(&thread, NULL, ask_and_end, &f);
	flight_land(&f, FOR_EVER);
	pthread_join(thread, NULL);
	flight_fini(&f);

	flight_init(&f);
	flight_begin_connection(&f, &fresh);
	flight_land(&f, 0); // no patience
	CHECK(!flight_begin_request(&f, &fresh) && fresh);
	flight_land(&f, FOR_EVER); // closed already
	flight_fini(&f);
}
