// Whichever connection begins next is taken for the one that was expected first: only the sums matter.
#include "server/http/in_flight.h"

#include "core/clock.h"

#include <errno.h>

void in_flight_init(struct in_flight *f, int max_connections)
{
	*f = (struct in_flight){ .max_connections = max_connections };
	clock_cond_init(&f->changed);
	pthread_mutex_init(&f->lock, NULL);
}

void in_flight_fini(struct in_flight *f)
{
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
}

// Under the lock.
static void end_fresh(struct in_flight *f)
{
	if (--f->n_fresh == 0)
		pthread_cond_signal(&f->changed);
}

void in_flight_expect(struct in_flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->n_fresh++;
	f->n_expected++;
	pthread_mutex_unlock(&f->lock);
}

void in_flight_expect_no_more(struct in_flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->n_expected--;
	end_fresh(f);
	pthread_mutex_unlock(&f->lock);
}

// Under the lock.
static bool has_room(const struct in_flight *f)
{
	return f->n_connections + f->n_expected < f->max_connections;
}

bool in_flight_has_room(struct in_flight *f)
{
	pthread_mutex_lock(&f->lock);
	bool room = has_room(f);
	pthread_mutex_unlock(&f->lock);
	return room;
}

bool in_flight_await_room(struct in_flight *f, const struct timespec *until)
{
	pthread_mutex_lock(&f->lock);
	while ((f->n_expected > 0 || !has_room(f)) && pthread_cond_timedwait(&f->changed, &f->lock, until) != ETIMEDOUT)
		;
	bool room = f->n_expected == 0 && has_room(f);
	pthread_mutex_unlock(&f->lock);
	return room;
}

void in_flight_begin_connection(struct in_flight *f, struct in_flight_connection *c)
{
	pthread_mutex_lock(&f->lock);
	if (f->n_expected > 0)
		f->n_expected--;
	else
		f->n_fresh++;
	*c = (struct in_flight_connection){ .fresh = true, .beyond = f->n_connections >= f->max_connections };
	f->n_connections += !c->beyond;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void in_flight_end_connection(struct in_flight *f, const struct in_flight_connection *c)
{
	pthread_mutex_lock(&f->lock);
	if (c->fresh)
		end_fresh(f);
	f->n_connections -= !c->beyond;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

bool in_flight_begin_request(struct in_flight *f, struct in_flight_connection *c)
{
	pthread_mutex_lock(&f->lock);
	bool begins = !f->closed;
	f->n_requests += begins;
	if (c->fresh && begins) {
		c->fresh = false;
		end_fresh(f);
	}
	pthread_mutex_unlock(&f->lock);
	return begins;
}

void in_flight_end_request(struct in_flight *f)
{
	pthread_mutex_lock(&f->lock);
	if (--f->n_requests == 0)
		pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void in_flight_land(struct in_flight *f, int patience_s)
{
	const struct timespec until = clock_timespec(clock_now_ns() + (int64_t)patience_s * 1000000000);
	pthread_mutex_lock(&f->lock);
	while (!f->closed && f->n_fresh > 0 && pthread_cond_timedwait(&f->changed, &f->lock, &until) != ETIMEDOUT)
		;
	while (f->n_requests > 0)
		pthread_cond_wait(&f->changed, &f->lock);
	f->closed = true;
	pthread_mutex_unlock(&f->lock);
}
