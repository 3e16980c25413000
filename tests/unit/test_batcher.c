// The batcher over a fake engine that can be held, so that what gathers meanwhile is known and nothing depends on time.
#include "server/compute/batcher.h"

#include "kernels/standby.h"
#include "core/clock.h"
#include "tests/unit/fake_engine.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_JOBS = 16, MAX_PICTURES = 12 };

struct wait {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int n_done;
};

struct item {
	struct job job; // first, so that a job is its item
	struct wait *wait;
	bool done;
	uint8_t pixels[MAX_PICTURES][LENET5_PIXELS];
	float scores[MAX_PICTURES][LENET5_DIGITS];
};

static struct fake_engine fake;
static struct engine_model *model;
static struct metrics *metrics;
static struct batcher *batcher;
static struct item items[MAX_JOBS];
static struct wait wait = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

static void done(void *arg)
{
	struct item *item = arg;
	pthread_mutex_lock(&item->wait->lock);
	item->done = true;
	item->wait->n_done++;
	pthread_cond_broadcast(&item->wait->changed);
	pthread_mutex_unlock(&item->wait->lock);
}

static void await(int n_done)
{
	pthread_mutex_lock(&wait.lock);
	while (wait.n_done < n_done)
		pthread_cond_wait(&wait.changed, &wait.lock);
	pthread_mutex_unlock(&wait.lock);
}

static void start_over(struct engine *engine, int max_batch, int max_delay_us, int queue)
{
	struct err e;
	fake_engine_model(engine, &model);
	memset(items, 0, sizeof items);
	wait.n_done = 0;
	metrics = metrics_new();
	const struct batcher_options options = { max_batch, max_delay_us, queue, metrics };
	CHECK_MSG(batcher_open(engine, &options, &batcher, &e) == 0, "%s", e.msg);
}

static void start(int max_batch, int max_delay_us, int queue)
{
	fake_engine_init(&fake);
	start_over(&fake.engine, max_batch, max_delay_us, queue);
}

static void stop(void)
{
	batcher_close(batcher);
	engine_model_unref(model);
	metrics_free(metrics);
	CHECK(fake.n_contexts == 0 && fake.n_models == 0);
}

static enum job_result submit_with(int i, int n, struct pass_count *passes, const atomic_bool *gone)
{
	struct item *item = &items[i];
	for (int p = 0; p < n; p++)
		for (int d = 0; d < LENET5_DIGITS; d++)
			item->pixels[p][d] = (uint8_t)(i * 16 + p + d);
	item->job = (struct job){ .model = model,
				  .pixels = item->pixels[0],
				  .scores = item->scores[0],
				  .n = n,
				  .deadline_us = INT64_MAX,
				  .done = done,
				  .done_arg = item,
				  .gone = gone,
				  .passes = passes };
	item->wait = &wait;
	return batcher_submit(batcher, &item->job);
}

static enum job_result submit(int i, int n)
{
	return submit_with(i, n, NULL, NULL);
}

static void check_scores(int i)
{
	struct item *item = &items[i];
	CHECK_MSG(item->done && item->job.result == JOB_OK, "job %d: done %d, result %d", i, item->done, item->job.result);
	for (int p = 0; p < item->job.n; p++)
		for (int d = 0; d < LENET5_DIGITS; d++)
			CHECK_MSG((int)(item->scores[p][d] + 0.5f) == item->pixels[p][d], "job %d, picture %d: %g", i, p,
				  (double)item->scores[p][d]);
}

static void check_calls(int n, const int *batches)
{
	CHECK_MSG(fake.n_calls == n, "%d forward passes, not %d", fake.n_calls, n);
	for (int i = 0; i < n && i < fake.n_calls; i++)
		CHECK_MSG(fake.batches[i] == batches[i], "batch %d has %d pictures, not %d", i, fake.batches[i], batches[i]);
}

static void check_batches(int n, const int *batches)
{
	uint64_t pictures = 0, counted_passes, counted_pictures;
	metrics_passes(metrics, &counted_passes, &counted_pictures);
	check_calls(n, batches);
	for (int i = 0; i < n; i++)
		pictures += (uint64_t)batches[i];
	CHECK(counted_passes == (uint64_t)n && counted_pictures == pictures);
}

TEST(batcher_plan_decides)
{
	static const struct {
		int max_batch, max_delay_us, n_queued;
		int64_t oldest;
		bool stopping;
		int launch;
		int64_t wait_us;
	} cases[] = {
		{ 64, 0, 0, 0, false, 0, -1 },    { 64, 0, 1, 0, false, 1, 0 },     { 64, 0, 63, 0, false, 63, 0 },
		{ 64, 0, 100, 0, false, 64, 0 },  { 64, 500, 1, 0, false, 0, 500 }, { 64, 500, 1, 499, false, 0, 1 },
		{ 64, 500, 1, 500, false, 1, 0 }, { 64, 500, 64, 0, false, 64, 0 }, { 64, 500, 7, 9999, false, 7, 0 },
		{ 64, 500, 7, 0, true, 7, 0 },    { 64, 500, 0, 0, true, 0, -1 },   { 1, 500, 3, 0, false, 1, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct batcher_options o = { cases[i].max_batch, cases[i].max_delay_us, 1000, NULL };
		struct batcher_plan plan = batcher_plan(&o, cases[i].n_queued, cases[i].oldest, cases[i].stopping);
		CHECK_MSG(plan.launch == cases[i].launch && (plan.launch || plan.wait_us == cases[i].wait_us),
			  "case %zu: launch %d, wait %ld", i, plan.launch, (long)plan.wait_us);
	}
}

TEST(batcher_gathers_while_the_engine_is_busy)
{
	start(4, 0, 100);
	fake_engine_hold();
	submit(0, 1);
	fake_engine_await(); // job 0 is being computed alone
	submit(1, 3);
	submit(2, 3);
	submit(3, 3);
	fake_engine_release();
	await(4);
	check_batches(4, (int[]){ 1, 4, 4, 1 });
	for (int i = 0; i < 4; i++)
		check_scores(i);
	stop();
}

TEST(batcher_splits_a_big_job)
{
	start(4, 0, 100);
	submit(0, 10);
	await(1);
	check_batches(3, (int[]){ 4, 4, 2 });
	check_scores(0);
	stop();
}

TEST(batcher_takes_ink_as_well_as_pixels)
{
	static float ink[3][LENET5_PIXELS];
	for (int p = 0; p < 3; p++)
		for (int d = 0; d < LENET5_DIGITS; d++)
			ink[p][d] = (float)(100 * p + d) / 255; // more than a byte may say
	start(2, 1000000, 100); // two batches: the second is half of one job and half of the other
	struct pass_count of_model = { 0 };
	struct item *item = &items[0];
	item->wait = &wait;
	item->job = (struct job){ .model = model,
				  .ink = ink[0],
				  .scores = item->scores[0],
				  .n = 3,
				  .deadline_us = INT64_MAX,
				  .done = done,
				  .done_arg = item,
				  .passes = &of_model };
	CHECK(batcher_submit(batcher, &item->job) == JOB_OK);
	submit(1, 1);
	await(2);
	check_batches(2, (int[]){ 2, 2 });
	check_scores(1);
	for (int p = 0; p < 3; p++)
		for (int d = 0; d < LENET5_DIGITS; d++)
			CHECK(item->scores[p][d] == ink[p][d] * 255);
	CHECK(of_model.passes == 2 && of_model.pictures == 3); // the one that shared a pass is not counted
	stop();
}

// Only where none of a batch's pictures is ink.
TEST(batcher_hands_pixels_on_as_they_are)
{
	static float ink[LENET5_PIXELS];
	start(4, 1000000, 100);
	submit(0, 3);
	submit(1, 5); // two batches, with a seam in the first
	await(2);
	check_scores(0);
	check_scores(1);
	check_batches(2, (int[]){ 4, 4 });
	CHECK(fake.n_pixel_calls == 2);
	submit(2, 3);
	items[3].wait = &wait;
	items[3].job = (struct job){ .model = model,
				     .ink = ink,
				     .scores = items[3].scores[0],
				     .n = 1,
				     .deadline_us = INT64_MAX,
				     .done = done,
				     .done_arg = &items[3] };
	CHECK(batcher_submit(batcher, &items[3].job) == JOB_OK);
	await(4);
	check_scores(2);
	CHECK(fake.n_calls == 3 && fake.n_pixel_calls == 2);
	stop();
}

TEST(batcher_counts_whatever_comes_first)
{
	start(4, 1000000, 100);
	struct pass_count of_model = { 0 };
	fake_engine_hold();
	submit(0, 4);
	fake_engine_await();
	submit(1, 1);
	submit_with(2, 3, &of_model, NULL);
	fake_engine_release();
	await(3);
	check_batches(2, (int[]){ 4, 4 });
	CHECK(of_model.passes == 1 && of_model.pictures == 3);
	stop();
}

TEST(batcher_waits_for_company_only_until_a_batch_is_full)
{
	start(2, 1000000, 100); // had it not waited, there would be two batches
	submit(0, 1);
	submit(1, 1);
	await(2);
	check_batches(1, (int[]){ 2 });
	stop();
}

TEST(batcher_refuses_when_the_queue_is_full)
{
	start(4, 0, 4);
	fake_engine_hold();
	CHECK(submit(0, 4) == JOB_OK);
	fake_engine_await(); // taken: the queue is empty again
	CHECK(submit(1, 2) == JOB_OK);
	CHECK(submit(2, 3) == JOB_FULL);
	CHECK(submit(3, 2) == JOB_OK);
	CHECK(submit(4, 1) == JOB_FULL && batcher_depth(batcher) == 4);
	fake_engine_release();
	await(3);
	CHECK(!items[2].done && !items[4].done && batcher_depth(batcher) == 0);
	CHECK(submit(5, 4) == JOB_OK); // and there is room again
	await(4);
	check_scores(5);
	stop();
}

TEST(batcher_does_not_compute_what_is_late)
{
	start(4, 0, 100);
	fake_engine_hold();
	submit(0, 1);
	fake_engine_await();
	for (int i = 1; i <= 3; i++) {
		submit(i, 2);
		if (i != 2)
			items[i].job.deadline_us = clock_now_ns() / 1000; // the batcher is held, and has not seen it
	}
	fake_engine_release();
	await(4);
	CHECK(items[1].job.result == JOB_LATE && items[3].job.result == JOB_LATE);
	CHECK(items[1].job.started_ns && !items[1].job.finished_ns); // its turn came
	CHECK(items[2].job.started_ns && items[2].job.finished_ns >= items[2].job.started_ns);
	check_scores(2);
	check_batches(2, (int[]){ 1, 2 });
	stop();
}

TEST(batcher_does_not_compute_what_nobody_wants)
{
	atomic_bool gone[4] = { false };
	start(4, 0, 100);
	fake_engine_hold();
	submit(0, 1);
	fake_engine_await();
	for (int i = 1; i <= 3; i++) {
		submit(i, i == 2 ? 6 : 2);
		items[i].job.gone = &gone[i]; // the batcher is held, and has not seen it
	}
	gone[1] = gone[3] = true;
	fake_engine_release();
	await(4);
	CHECK(items[1].job.result == JOB_GONE && items[3].job.result == JOB_GONE);
	check_scores(2);
	check_batches(3, (int[]){ 1, 4, 2 });
	stop();
}

TEST(batcher_goes_on_with_what_it_has_begun)
{
	atomic_bool gone = false;
	start(4, 0, 100);
	fake_engine_hold();
	submit_with(0, 6, NULL, &gone);
	fake_engine_await(); // four of its pictures are being computed
	gone = true;
	fake_engine_release();
	await(1);
	check_scores(0);
	check_batches(2, (int[]){ 4, 2 });
	stop();
}

TEST(batcher_outlives_a_failing_engine)
{
	start(4, 0, 100);
	fake_engine_fail(true);
	submit(0, 10); // fails in its first part; the rest is not tried
	await(1);
	CHECK(items[0].job.result == JOB_FAILED && strcmp(items[0].job.error.msg, "the fake has failed") == 0);
	fake_engine_fail(false);
	submit(1, 5);
	await(2);
	check_scores(1);
	check_batches(3, (int[]){ 4, 4, 1 });
	stop();
}

TEST(batcher_keeps_models_apart)
{
	start(8, 0, 100);
	struct engine_model *first = model, *second;
	fake_engine_model(&fake.engine, &second);
	fake_engine_hold();
	submit(0, 1);
	fake_engine_await();
	submit(1, 1);
	model = second;
	submit(2, 1);
	submit(3, 1);
	fake_engine_release();
	await(4);
	check_batches(3, (int[]){ 1, 1, 2 });
	engine_model_unref(second);
	model = first;
	stop();
}

static void count_loss(void *arg, const struct engine *engine, const struct err *why)
{
	CHECK(engine == &fake.engine && strcmp(why->msg, "the fake is lost") == 0);
	++*(int *)arg;
}

TEST(batcher_answers_across_a_loss)
{
	enum { BY_STANDBY = 1000 };
	int n_losses = 0;
	struct fake_engine standby;
	struct engine *pair;
	struct err e;
	fake_engine_init(&fake);
	fake_engine_init(&standby);
	fake.lost_at = 3;
	standby.shift = BY_STANDBY;
	CHECK(standby_open(&fake.engine, &standby.engine, &(struct standby_watch){ count_loss, &n_losses }, &pair, &e) == 0);
	start_over(pair, 4, 0, 100);
	fake_engine_hold();
	submit(0, 1);
	fake_engine_await();
	submit(1, 10); // batches of 4 (the last that the first engine computes), 4 (in which it is lost), 2 and two of job 2
	submit(2, 2);
	fake_engine_release();
	await(3);
	check_scores(0);
	check_calls(3, (int[]){ 1, 4, 4 });
	CHECK(standby.n_calls == 2 && standby.batches[0] == 4 && standby.batches[1] == 4 && n_losses == 1);
	for (int i = 1; i <= 2; i++)
		for (int p = 0; p < items[i].job.n; p++)
			for (int d = 0; d < LENET5_DIGITS; d++)
				items[i].scores[p][d] -= i == 1 && p < 4 ? 0 : BY_STANDBY;
	check_scores(1);
	check_scores(2);
	submit(3, 1);
	await(4);
	CHECK(items[3].job.result == JOB_OK && standby.n_calls == 3 && fake.n_calls == 3);
	stop();
	CHECK(standby.n_contexts == 0 && standby.n_models == 0 && n_losses == 1);
	engine_close(pair);
}

static void *stop_it(void *arg)
{
	batcher_stop(arg);
	return NULL;
}

TEST(batcher_computes_what_is_queued_before_it_stops)
{
	start(4, 1000000, 100);
	fake_engine_hold();
	submit(0, 4);
	fake_engine_await();
	submit(1, 1); // would wait for company for a second
	pthread_t stopper;
	pthread_create(&stopper, NULL, stop_it, batcher);
	fake_engine_release();
	pthread_join(stopper, NULL);
	check_scores(0);
	check_scores(1);
	CHECK(submit(2, 1) == JOB_STOPPED);
	stop();
}

static void *submit_many(void *arg)
{
	struct wait mine = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct item *item = calloc(1, sizeof *item);
	int n_wrong = 0;
	(void)arg;
	for (int i = 0; i < 500; i++) {
		int n = 1 + i % MAX_PICTURES;
		for (int p = 0; p < n; p++)
			item->pixels[p][3] = (uint8_t)(i + p);
		item->job = (struct job){ .model = model,
					  .pixels = item->pixels[0],
					  .scores = item->scores[0],
					  .n = n,
					  .deadline_us = INT64_MAX,
					  .done = done,
					  .done_arg = item };
		item->wait = &mine;
		mine.n_done = 0;
		if (batcher_submit(batcher, &item->job) != JOB_OK) {
			n_wrong++;
			continue;
		}
		pthread_mutex_lock(&mine.lock);
		while (!mine.n_done)
			pthread_cond_wait(&mine.changed, &mine.lock);
		pthread_mutex_unlock(&mine.lock);
		for (int p = 0; p < n; p++)
			n_wrong += (int)(item->scores[p][3] + 0.5f) != item->pixels[p][3];
	}
	free(item);
	return (void *)(intptr_t)n_wrong;
}

TEST(batcher_answers_many_threads)
{
	start(8, 0, 100);
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, submit_many, NULL);
	for (int i = 0; i < 4; i++) {
		void *n_wrong;
		pthread_join(threads[i], &n_wrong);
		CHECK(n_wrong == NULL);
	}
	stop();
}
