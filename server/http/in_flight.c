// Accepted connections are not told apart: one that begins decrements n_accepted, whichever it is, since only the sums matter.
#include "server/http/in_flight.h"

#include "core/clock.h"

// An accepted connection that has not begun by then never will: libmicrohttpd had no memory for it and told nobody.
static const int64_t BEGIN_NS = 1000000000;

void in_flight_init(struct in_flight *f, int max_connections, int reserve)
{
	*f = (struct in_flight){ .max_connections = max_connections, .reserve = reserve };
	clock_cond_init(&f->changed);
	pthread_mutex_init(&f->lock, NULL);
}

void in_flight_fini(struct in_flight *f)
{
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
}

// With the lock held.
static void end_fresh(struct in_flight *f)
{
	if (--f->n_fresh == 0)
		pthread_cond_signal(&f->changed);
}

void in_flight_accept(struct in_flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->n_fresh++;
	f->n_accepted++;
	pthread_mutex_unlock(&f->lock);
}

void in_flight_cancel_accept(struct in_flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->n_accepted--;
	end_fresh(f);
	pthread_mutex_unlock(&f->lock);
}

bool in_flight_await_place(struct in_flight *f)
{
	pthread_mutex_lock(&f->lock);
	while (!f->stopped && f->n_connections + f->n_over_limit + f->n_accepted >= f->max_connections + f->reserve)
		if (!clock_wait(&f->changed, &f->lock, clock_now_ns() + BEGIN_NS)) {
			f->n_fresh -= f->n_accepted;
			f->n_accepted = 0;
		}
	bool place = !f->stopped;
	pthread_mutex_unlock(&f->lock);
	return place;
}

void in_flight_stop_accepting(struct in_flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->stopped = true;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

// With the lock held.
static bool has_room(const struct in_flight *f)
{
	return f->n_connections + f->n_accepted < f->max_connections;
}

bool in_flight_has_room(struct in_flight *f)
{
	pthread_mutex_lock(&f->lock);
	bool room = has_room(f);
	pthread_mutex_unlock(&f->lock);
	return room;
}

bool in_flight_await_room(struct in_flight *f, int64_t until_ns)
{
	pthread_mutex_lock(&f->lock);
	while ((f->n_accepted > 0 || !has_room(f)) && clock_wait(&f->changed, &f->lock, until_ns))
		;
	bool room = f->n_accepted == 0 && has_room(f);
	pthread_mutex_unlock(&f->lock);
	return room;
}

void in_flight_begin_connection(struct in_flight *f, struct in_flight_connection *c)
{
	pthread_mutex_lock(&f->lock);
	if (f->n_accepted > 0)
		f->n_accepted--;
	else
		f->n_fresh++;
	*c = (struct in_flight_connection){ .fresh = true, .over_limit = f->n_connections >= f->max_connections };
	f->n_connections += !c->over_limit;
	f->n_over_limit += c->over_limit;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

void in_flight_end_connection(struct in_flight *f, const struct in_flight_connection *c)
{
	pthread_mutex_lock(&f->lock);
	if (c->fresh)
		end_fresh(f);
	f->n_connections -= !c->over_limit;
	f->n_over_limit -= c->over_limit;
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

void in_flight_drain(struct in_flight *f, int fresh_s)
{
	const int64_t until_ns = clock_now_ns() + (int64_t)fresh_s * 1000000000;
	pthread_mutex_lock(&f->lock);
	while (!f->closed && f->n_fresh > 0 && clock_wait(&f->changed, &f->lock, until_ns))
		;
	while (f->n_requests > 0)
		pthread_cond_wait(&f->changed, &f->lock);
	f->closed = true;
	pthread_mutex_unlock(&f->lock);
}
