#include "server/http/in_flight.h"

#include "tests/unit/test.h"

enum { FOR_EVER = 1 << 20 }; // seconds: who waits for a connection that is gone is never done

TEST(in_flight_drains_when_all_are_answered)
{
	struct in_flight f;
	struct in_flight_connection c[3];
	in_flight_init(&f, 2, 1);
	in_flight_accept(&f); // and it is begun by somebody else
	in_flight_accept(&f);
	in_flight_cancel_accept(&f);
	CHECK(f.n_fresh == 1);
	for (int i = 0; i < 3; i++)
		in_flight_begin_connection(&f, &c[i]);
	CHECK(f.n_fresh == 3 && f.n_accepted == 0);
	CHECK(in_flight_begin_request(&f, &c[0]) && !c[0].fresh);
	in_flight_end_request(&f);
	CHECK(in_flight_begin_request(&f, &c[0]) && in_flight_begin_request(&f, &c[1]) && f.n_requests == 2);
	in_flight_end_request(&f);
	in_flight_end_request(&f);
	in_flight_end_connection(&f, &c[0]);
	in_flight_end_connection(&f, &c[2]); // without a request
	in_flight_drain(&f, FOR_EVER);
	CHECK(!in_flight_begin_request(&f, &c[1]) && f.n_requests == 0);
	in_flight_end_connection(&f, &c[1]);
	CHECK(f.n_fresh == 0);
	in_flight_fini(&f);
}

static void *ask_and_end(void *arg)
{
	struct in_flight *f = arg;
	struct in_flight_connection c = { .fresh = true };
	CHECK(in_flight_begin_request(f, &c)); // before it drains: it waits for this one
	in_flight_end_request(f);
	in_flight_end_connection(f, &c);
	return NULL;
}

TEST(in_flight_waits_for_the_first_request)
{
	struct in_flight f;
	struct in_flight_connection c;
	pthread_t thread;
	in_flight_init(&f, 1, 1);
	in_flight_begin_connection(&f, &c);
	pthread_create(&thread, NULL, ask_and_end, &f);
	in_flight_drain(&f, FOR_EVER);
	pthread_join(thread, NULL);
	in_flight_fini(&f);

	in_flight_init(&f, 1, 1);
	in_flight_begin_connection(&f, &c);
	in_flight_drain(&f, 0); // no patience
	CHECK(!in_flight_begin_request(&f, &c) && c.fresh);
	in_flight_drain(&f, FOR_EVER); // closed already
	in_flight_fini(&f);
}

static void *make_room(void *arg)
{
	struct in_flight_connection c = { .fresh = true };
	in_flight_end_connection(arg, &c);
	return NULL;
}

TEST(in_flight_keeps_to_the_limit)
{
	const int64_t now = 0, never = INT64_MAX;
	struct in_flight f;
	struct in_flight_connection c[4];
	pthread_t thread;
	in_flight_init(&f, 2, 1);
	CHECK(in_flight_has_room(&f) && in_flight_await_room(&f, now));
	in_flight_begin_connection(&f, &c[0]);
	in_flight_accept(&f);
	CHECK(!in_flight_has_room(&f) && !in_flight_await_room(&f, now));
	in_flight_begin_connection(&f, &c[1]);
	in_flight_begin_connection(&f, &c[2]);
	CHECK(!c[0].over_limit && !c[1].over_limit && c[2].over_limit && !in_flight_has_room(&f));
	in_flight_end_connection(&f, &c[2]);
	CHECK(!in_flight_has_room(&f));
	pthread_create(&thread, NULL, make_room, &f);
	CHECK(in_flight_await_room(&f, never) && in_flight_has_room(&f));
	pthread_join(thread, NULL);
	in_flight_begin_connection(&f, &c[3]);
	CHECK(!c[3].over_limit && !in_flight_has_room(&f) && f.n_fresh == 2);
	in_flight_fini(&f);
}

TEST(in_flight_keeps_a_reserve)
{
	struct in_flight f;
	struct in_flight_connection c[3];
	in_flight_init(&f, 2, 1);
	for (int i = 0; i < 3; i++) {
		CHECK(in_flight_await_place(&f));
		in_flight_accept(&f);
		if (i < 2) // the third is dropped without a word: its place is free a second later
			in_flight_begin_connection(&f, &c[i]);
	}
	CHECK(in_flight_await_place(&f) && f.n_accepted == 0 && f.n_fresh == 2);
	in_flight_begin_connection(&f, &c[2]);
	CHECK(c[2].over_limit);
	in_flight_stop_accepting(&f);
	CHECK(!in_flight_await_place(&f));
	in_flight_fini(&f);
}
