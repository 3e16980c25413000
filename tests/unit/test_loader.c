// Over a fake engine that can be held: a model is tried before it is served, so its load hangs there.
#include "server/compute/loader.h"

#include "tests/unit/fake_engine.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 60000 };

static struct fake_engine fake;
static struct models *models;
static struct loader *loader;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int n_done, n_reloads; // lock

static void count(int *n)
{
	pthread_mutex_lock(&lock);
	++*n;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void await(const int *n, int wanted)
{
	pthread_mutex_lock(&lock);
	while (*n < wanted)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void done(void *arg)
{
	(void)arg;
	count(&n_done);
}

static void reload(void *arg)
{
	(void)arg;
	count(&n_reloads);
}

static void start(void)
{
	static const struct models_spec spec = { "m", NULL };
	const struct models_options serving = { &fake.engine, &spec, 1, NULL, 0, -1 };
	struct err e;
	fake_engine_init(&fake);
	n_done = n_reloads = 0;
	CHECK(models_open(&serving, &models, &e) == 0);
	const struct loader_options options = { models, reload, NULL };
	CHECK(loader_open(&options, &loader, &e) == 0);
}

static void stop(void)
{
	CHECK(loader_stop(loader, PATIENCE_MS));
	loader_close(loader);
	models_close(models);
	CHECK(fake.n_models == 0 && fake.n_contexts == 0);
}

static struct loader_job *new_job(const char *name)
{
	struct loader_job *job = calloc(1, sizeof *job);
	strcpy(job->name, name);
	job->done = done;
	return job;
}

TEST(loader_loads_or_says_why_not)
{
	start();
	struct loader_job *good = new_job("m"), *bad = new_job("nobody");
	CHECK(loader_submit(loader, good) == LOADER_OK && loader_submit(loader, bad) == LOADER_OK);
	await(&n_done, 2);
	CHECK(good->result == LOADER_OK && bad->result == LOADER_FAILED && strstr(bad->error.msg, "\"nobody\""));
	struct models_state state;
	CHECK(models_state(models, 0, &state) && state.n_loads == 2);
	free(good);
	free(bad);
	stop();
}

TEST(loader_lets_nobody_wait_when_it_stops)
{
	start();
	fake_engine_hold();
	struct loader_job *hangs = new_job("m"), *waits = new_job("m"), *late = new_job("m");
	CHECK(loader_submit(loader, hangs) == LOADER_OK);
	fake_engine_await();
	CHECK(loader_submit(loader, waits) == LOADER_OK);
	CHECK(!loader_stop(loader, 10) && n_done == 2);
	CHECK(hangs->result == LOADER_STOPPED && waits->result == LOADER_STOPPED && loader_submit(loader, late) == LOADER_STOPPED);
	free(hangs); // whoever touches it now is seen by AddressSanitizer
	free(waits);
	free(late);
	fake_engine_release();
	stop();
	CHECK(n_done == 2);
}

TEST(loader_has_a_bounded_queue)
{
	struct loader_job *jobs[LOADER_MAX_WAITING + 2];
	start();
	fake_engine_hold();
	for (int i = 0; i < LOADER_MAX_WAITING + 2; i++) {
		jobs[i] = new_job("m");
		CHECK(loader_submit(loader, jobs[i]) == (i <= LOADER_MAX_WAITING ? LOADER_OK : LOADER_FULL));
		if (i == 0)
			fake_engine_await();
	}
	fake_engine_release();
	await(&n_done, LOADER_MAX_WAITING + 1);
	for (int i = 0; i < LOADER_MAX_WAITING + 2; i++) {
		CHECK(jobs[i]->result == (i <= LOADER_MAX_WAITING ? LOADER_OK : LOADER_FULL));
		free(jobs[i]);
	}
	stop();
}

TEST(loader_reloads_once_for_all_who_ask_before_it)
{
	start();
	fake_engine_hold();
	struct loader_job *job = new_job("m"), *next = new_job("m");
	CHECK(loader_submit(loader, job) == LOADER_OK);
	fake_engine_await();
	CHECK(loader_submit(loader, next) == LOADER_OK);
	for (int i = 0; i < 3; i++)
		loader_reload(loader);
	fake_engine_release();
	await(&n_done, 2);
	CHECK(n_reloads == 1); // before the next job
	loader_reload(loader);
	await(&n_reloads, 2);
	free(job);
	free(next);
	stop();
}
