// The passes that callers compute themselves, over a fake engine that remembers how many pictures each had.
#include "server/compute/direct.h"

#include "core/clock.h"
#include "tests/unit/fake_engine.h"
#include "tests/unit/test.h"

#include <string.h>

enum { MAX_JOBS = 8, MAX_PICTURES = 40 };

static struct fake_engine fake;
static struct engine_model *model, *other;
static struct direct *direct;
static struct metrics *metrics;
static struct job jobs[MAX_JOBS];
static uint8_t pixels[MAX_JOBS][MAX_PICTURES][LENET5_PIXELS];
static float scores[MAX_JOBS][MAX_PICTURES][LENET5_DIGITS];

static void start(void)
{
	struct err e;
	fake_engine_init(&fake);
	fake_engine_model(&fake.engine, &model);
	fake_engine_model(&fake.engine, &other);
	metrics = metrics_new();
	CHECK_MSG(direct_open(&fake.engine, 2, metrics, &direct, &e) == 0, "%s", e.msg);
	CHECK(fake.n_contexts == 2);
	memset(scores, 0, sizeof scores);
}

static void stop(void)
{
	direct_close(direct);
	engine_model_unref(model);
	engine_model_unref(other);
	metrics_free(metrics);
	CHECK(fake.n_contexts == 0 && fake.n_models == 0);
}

static void add(int i, struct engine_model *of, int n)
{
	for (int p = 0; p < n; p++)
		for (int d = 0; d < LENET5_DIGITS; d++)
			pixels[i][p][d] = (uint8_t)(i * 20 + p + d);
	jobs[i] = (struct job){
		.model = of, .pixels = pixels[i][0], .scores = scores[i][0], .n = n, .deadline_us = INT64_MAX, .result = JOB_STOPPED
	};
}

static void compute(int n)
{
	struct job *list[MAX_JOBS];
	for (int i = 0; i < n; i++)
		list[i] = &jobs[i];
	direct_compute(direct, list, n);
}

static void check(int n, int n_passes, const int *passes)
{
	uint64_t pictures = 0, counted_passes, counted_pictures;
	metrics_passes(metrics, &counted_passes, &counted_pictures);
	CHECK_MSG(fake.n_calls == n_passes, "%d passes", fake.n_calls);
	for (int i = 0; i < n_passes; i++)
		CHECK_MSG(fake.batches[i] == passes[i], "pass %d has %d pictures", i, fake.batches[i]);
	for (int i = 0; i < n; i++) {
		pictures += (uint64_t)jobs[i].n;
		CHECK(jobs[i].result == JOB_OK);
		CHECK(jobs[i].started_ns > 0 && jobs[i].finished_ns >= jobs[i].started_ns);
		for (int p = 0; p < jobs[i].n; p++)
			for (int d = 0; d < LENET5_DIGITS; d++)
				CHECK_MSG((int)(scores[i][p][d] + 0.5f) == pixels[i][p][d], "job %d, picture %d: %g", i, p,
					  (double)scores[i][p][d]);
	}
	CHECK(counted_pictures == pictures && counted_passes == (uint64_t)n_passes);
}

TEST(direct_shares_passes)
{
	start();
	add(0, model, 1);
	add(1, model, 7);
	add(2, model, 1);
	compute(3);
	check(3, 1, (int[]){ 9 });
	stop();
}

TEST(direct_splits_what_is_too_much_for_a_pass)
{
	start();
	add(0, model, 10);
	add(1, model, 40);
	compute(2);
	check(2, 4, (int[]){ 16, 16, 16, 2 });
	stop();
}

TEST(direct_does_not_mix_models)
{
	start();
	add(0, model, 2);
	add(1, other, 3);
	add(2, other, 1);
	add(3, model, 1);
	compute(4);
	check(4, 3, (int[]){ 2, 4, 1 });
	stop();
}

TEST(direct_takes_ink_as_well_as_pixels)
{
	static float ink[18][LENET5_PIXELS];
	struct pass_count of_model = { 0 };
	for (int p = 0; p < 18; p++)
		for (int d = 0; d < LENET5_DIGITS; d++)
			ink[p][d] = (float)(100 * p + d) / 255;
	start();
	add(0, model, 1);
	add(1, model, 18);
	jobs[1].pixels = NULL;
	jobs[1].ink = ink[0];
	jobs[0].passes = jobs[1].passes = &of_model;
	compute(2);
	CHECK(fake.n_calls == 2 && fake.batches[0] == 16 && fake.batches[1] == 3);
	CHECK((int)(scores[0][0][3] + 0.5f) == pixels[0][0][3] && jobs[0].result == JOB_OK && jobs[1].result == JOB_OK);
	for (int p = 0; p < 18; p++)
		for (int d = 0; d < LENET5_DIGITS; d++)
			CHECK(scores[1][p][d] == ink[p][d] * 255);
	CHECK(of_model.passes == 2 && of_model.pictures == 19);
	stop();
}

TEST(direct_passes_an_error_on)
{
	start();
	add(0, model, 3);
	add(1, model, 1);
	struct pass_count of_model = { 0 };
	jobs[0].passes = &of_model;
	fake_engine_fail(true);
	compute(2);
	CHECK(of_model.passes == 0);
	for (int i = 0; i < 2; i++)
		CHECK(jobs[i].result == JOB_FAILED && strcmp(jobs[i].error.msg, "the fake has failed") == 0);
	fake_engine_fail(false);
	compute(2);
	CHECK(jobs[0].result == JOB_OK && jobs[1].result == JOB_OK);
	stop();
}

TEST(direct_does_not_compute_what_is_late)
{
	start();
	add(0, model, 2);
	add(1, model, 1);
	jobs[0].deadline_us = clock_now_ns() / 1000;
	compute(2);
	CHECK(jobs[0].result == JOB_LATE && jobs[1].result == JOB_OK);
	CHECK(fake.n_calls == 1 && fake.batches[0] == 1);
	CHECK(jobs[0].started_ns && !jobs[0].finished_ns); // its turn came
	stop();
}
