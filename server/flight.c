// Whichever connection begins next is taken for the one that was expected first: only the sums matter.
#include "server/flight.h"

#include <errno.h>
#include <time.h>

void flight_init(struct flight *f)
{
	pthread_condattr_t attributes;
	*f = (struct flight){ .n_requests = 0 };
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&f->landed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&f->lock, NULL);
}

void flight_fini(struct flight *f)
{
	pthread_cond_destroy(&f->landed);
	pthread_mutex_destroy(&f->lock);
}

// Under the lock.
static void end_fresh(struct flight *f)
{
	if (--f->n_fresh == 0)
		pthread_cond_signal(&f->landed);
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

void flight_begin_connection(struct flight *f, bool *fresh)
{
	pthread_mutex_lock(&f->lock);
	if (f->n_expected > 0)
		f->n_expected--;
	else
		f->n_fresh++;
	pthread_mutex_unlock(&f->lock);
	*fresh = true;
}

void flight_end_connection(struct flight *f, bool fresh)
{
	pthread_mutex_lock(&f->lock);
	if (fresh)
		end_fresh(f);
	pthread_mutex_unlock(&f->lock);
}

bool flight_begin_request(struct flight *f, bool *fresh)
{
	pthread_mutex_lock(&f->lock);
	bool begins = !f->closed;
	f->n_requests += begins;
	if (*fresh && begins) {
		*fresh = false;
		end_fresh(f);
	}
	pthread_mutex_unlock(&f->lock);
	return begins;
}

void flight_end_request(struct flight *f)
{
	pthread_mutex_lock(&f->lock);
	if (--f->n_requests == 0)
		pthread_cond_signal(&f->landed);
	pthread_mutex_unlock(&f->lock);
}

void flight_land(struct flight *f, int patience_s)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += patience_s;
	pthread_mutex_lock(&f->lock);
	while (!f->closed && f->n_fresh > 0 && pthread_cond_timedwait(&f->landed, &f->lock, &until) != ETIMEDOUT)
		;
	while (f->n_requests > 0)
		pthread_cond_wait(&f->landed, &f->lock);
	f->closed = true;
	pthread_mutex_unlock(&f->lock);
}
