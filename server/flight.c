// Whichever connection begins next is taken for the one that was expected first: only the sums matter.
#include "server/flight.h"

#include "server/clock.h"

#include <errno.h>

void flight_init(struct flight *f, int max_connections)
{
	*f = (struct flight){ .max_connections = max_connections };
	clock_cond_init(&f->changed);
	pthread_mutex_init(&f->lock, NULL);
}

void flight_fini(struct flight *f)
{
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
}

// Under the lock.
static void end_fresh(struct flight *f)
{
	if (--f->n_fresh == 0)
		pthread_cond_signal(&f->changed);
}

void flight_expect(struct flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->n_fresh++;
	f->n_expected++;
	pthread_mutex_unlock(&f->lock);
}

void flight_expect_no_more(struct flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->n_expected--;
	end_fresh(f);
	pthread_mutex_unlock(&f->lock);
}

// Under the lock.
static bool has_room(const struct flight *f)
{
	return f->n_connections + f->n_expected < f->max_connections;
}

bool flight_has_room(struct flight *f)
{
	pthread_mutex_lock(&f->lock);
	bool room = has_room(f);
	pthread_mutex_unlock(&f->lock);
	return room;
}

bool flight_await_room(struct flight *f, const struct timespec *until)
{
	pthread_mutex_lock(&f->lock);
	while ((f->n_expected > 0 || !has_room(f)) && pthread_cond_timedwait(&f->changed, &f->lock, until) != ETIMEDOUT)
		;
	bool room = f->n_expected == 0 && has_room(f);
	pthread_mutex_unlock(&f->lock);
	return room;
}

void flight_begin_connection(struct flight *f, struct flight_connection *c)
{
	pthread_mutex_lock(&f->lock);
	if (f->n_expected > 0)
		f->n_expected--;
	else
		f->n_fresh++;
	*c = (struct flight_connection){ .fresh = true, .beyond = f->n_connections >= f->max_connections };
	f->n_connections += !c->beyond;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void flight_end_connection(struct flight *f, const struct flight_connection *c)
{
	pthread_mutex_lock(&f->lock);
	if (c->fresh)
		end_fresh(f);
	f->n_connections -= !c->beyond;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

bool flight_begin_request(struct flight *f, struct flight_connection *c)
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

void flight_end_request(struct flight *f)
{
	pthread_mutex_lock(&f->lock);
	if (--f->n_requests == 0)
		pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void flight_land(struct flight *f, int patience_s)
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
