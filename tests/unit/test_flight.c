#include "server/flight.h"

#include "tests/unit/test.h"

enum { FOR_EVER = 1 << 20 }; // seconds: who waits for a connection that is gone is never done

TEST(flight_lands_when_all_are_answered)
{
	struct flight f;
	struct flight_connection c[3];
	flight_init(&f, 2);
	flight_expect(&f); // and it is begun by somebody else
	flight_expect(&f);
	flight_expect_no_more(&f);
	CHECK(f.n_fresh == 1);
	for (int i = 0; i < 3; i++)
		flight_begin_connection(&f, &c[i]);
	CHECK(f.n_fresh == 3 && f.n_expected == 0);
	CHECK(flight_begin_request(&f, &c[0]) && !c[0].fresh);
	flight_end_request(&f);
	CHECK(flight_begin_request(&f, &c[0]) && flight_begin_request(&f, &c[1]) && f.n_requests == 2);
	flight_end_request(&f);
	flight_end_request(&f);
	flight_end_connection(&f, &c[0]);
	flight_end_connection(&f, &c[2]); // without a request
	flight_land(&f, FOR_EVER);
	CHECK(!flight_begin_request(&f, &c[1]) && f.n_requests == 0);
	flight_end_connection(&f, &c[1]);
	CHECK(f.n_fresh == 0);
	flight_fini(&f);
}

static void *ask_and_end(void *arg)
{
	struct flight *f = arg;
	struct flight_connection c = { .fresh = true };
	CHECK(flight_begin_request(f, &c)); // before it lands: it waits for this one
	flight_end_request(f);
	flight_end_connection(f, &c);
	return NULL;
}

TEST(flight_waits_for_the_first_request)
{
	struct flight f;
	struct flight_connection c;
	pthread_t thread;
	flight_init(&f, 1);
	flight_begin_connection(&f, &c);
	pthread_create(&thread, NULL, ask_and_end, &f);
	flight_land(&f, FOR_EVER);
	pthread_join(thread, NULL);
	flight_fini(&f);

	flight_init(&f, 1);
	flight_begin_connection(&f, &c);
	flight_land(&f, 0); // no patience
	CHECK(!flight_begin_request(&f, &c) && c.fresh);
	flight_land(&f, FOR_EVER); // closed already
	flight_fini(&f);
}

static void *make_room(void *arg)
{
	struct flight_connection c = { .fresh = true };
	flight_end_connection(arg, &c);
	return NULL;
}

TEST(flight_keeps_to_the_limit)
{
	const struct timespec now = { 0 }, never = { FOR_EVER, 0 };
	struct flight f;
	struct flight_connection c[4];
	pthread_t thread;
	flight_init(&f, 2);
	CHECK(flight_has_room(&f) && flight_await_room(&f, &now));
	flight_begin_connection(&f, &c[0]);
	flight_expect(&f);
	CHECK(!flight_has_room(&f) && !flight_await_room(&f, &now));
	flight_begin_connection(&f, &c[1]);
	flight_begin_connection(&f, &c[2]);
	CHECK(!c[0].beyond && !c[1].beyond && c[2].beyond && !flight_has_room(&f));
	flight_end_connection(&f, &c[2]);
	CHECK(!flight_has_room(&f));
	pthread_create(&thread, NULL, make_room, &f);
	CHECK(flight_await_room(&f, &never) && flight_has_room(&f));
	pthread_join(thread, NULL);
	flight_begin_connection(&f, &c[3]);
	CHECK(!c[3].beyond && !flight_has_room(&f) && f.n_fresh == 2);
	flight_fini(&f);
}
