// A pair of fakes: whose answer it is shows in the scores, and the first is lost when the test says so.
#include "kernels/standby.h"

#include "tests/unit/fake_engine.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <string.h>

enum { N_THREADS = 4, N_PASSES = 200 };

static struct fake_engine first, second;
static struct engine *pair;
static struct engine_model *model;
static struct engine_context *context;
static int n_told; // atomic

static void told(void *arg, const struct engine *engine, const struct err *why)
{
	CHECK(arg == &first && engine == &first.engine && strcmp(why->msg, "the fake is lost") == 0);
	__atomic_fetch_add(&n_told, 1, __ATOMIC_RELAXED);
}

static void start(void)
{
	const struct standby_watch watch = { told, &first };
	struct err e;
	fake_engine_init(&first);
	fake_engine_init(&second);
	first.shift = 1;
	second.shift = 2;
	n_told = 0;
	CHECK(standby_open(&first.engine, &second.engine, &watch, &pair, &e) == 0);
	fake_engine_model(pair, &model);
	CHECK(engine_context_open(pair, 4, 1, &context, &e) == 0);
}

static void stop(void)
{
	engine_context_close(context);
	engine_model_unref(model);
	CHECK(first.n_models == 0 && first.n_contexts == 0 && second.n_models == 0 && second.n_contexts == 0);
	engine_close(pair);
	CHECK(first.closed && second.closed);
}

// Which engine has computed three blank pictures, all of them: 1 or 2; 0 if none could, and e says why.
static int computes(struct engine_context *c, const struct engine_model *m, struct err *e)
{
	float scores[3 * LENET5_DIGITS];
	if (engine_forward(c, m, engine_context_ink(c), 3, scores, e))
		return 0;
	for (int i = 0; i < 3 * LENET5_DIGITS; i++)
		CHECK(scores[i] == scores[0]);
	return (int)scores[0];
}

TEST(standby_takes_over_in_the_call_that_sees_the_loss)
{
	struct err e;
	start();
	first.lost_at = 3;
	CHECK(strcmp(pair->name, "fake") == 0);
	CHECK(computes(context, model, &e) == 1 && computes(context, model, &e) == 1);
	CHECK(second.n_calls == 0 && n_told == 0);
	for (int i = 0; i < 3; i++)
		CHECK(computes(context, model, &e) == 2);
	CHECK(first.n_calls == 3 && second.n_calls == 3 && n_told == 1); // a lost engine is left alone
	CHECK(engine_lost(&first.engine) && !engine_lost(pair));
	stop();
}

TEST(standby_leaves_other_failures_as_they_are)
{
	struct err e;
	start();
	fake_engine_fail(true);
	CHECK(computes(context, model, &e) == 0 && strcmp(e.msg, "the fake has failed") == 0);
	fake_engine_fail(false);
	CHECK(computes(context, model, &e) == 1 && second.n_calls == 0 && n_told == 0);
	fake_engine_lose(&first);
	fake_engine_fail(true); // the second one, too
	CHECK(computes(context, model, &e) == 0 && strcmp(e.msg, "the fake has failed") == 0 && n_told == 1);
	stop();
}

TEST(standby_hands_pixels_on)
{
	float scores[2 * LENET5_DIGITS];
	struct err e;
	start();
	first.lost_at = 2;
	uint8_t *pixels = engine_context_pixels(context);
	memset(pixels, 51, 2 * LENET5_PIXELS);
	CHECK(engine_forward_pixels(context, model, pixels, 2, scores, &e) == 0 && scores[19] == 51 + 1);
	CHECK(engine_forward_pixels(context, model, pixels, 2, scores, &e) == 0 && scores[19] == 51 + 2 && n_told == 1);
	CHECK(engine_forward_pixels(context, model, pixels, 2, scores, &e) == 0 && scores[19] == 51 + 2);
	CHECK(first.n_pixel_calls == 2 && second.n_pixel_calls == 2);
	stop();
}

TEST(standby_traces)
{
	static struct engine_trace trace;
	struct err e;
	start();
	const float *ink = engine_context_ink(context);
	CHECK(engine_trace(context, model, ink, &trace, &e) == 0 && (int)trace.output[9] == 1);
	fake_engine_fail(true);
	CHECK(engine_trace(context, model, ink, &trace, &e) == -1 && n_told == 0);
	fake_engine_fail(false);
	fake_engine_lose(&first);
	CHECK(engine_trace(context, model, ink, &trace, &e) == 0 && (int)trace.output[9] == 2);
	CHECK(engine_trace(context, model, ink, &trace, &e) == 0 && n_told == 1 && first.n_calls == 3);
	stop();
}

TEST(standby_makes_models_and_contexts_after_the_loss)
{
	struct err e;
	struct engine_model *late_model;
	struct engine_context *late_context;
	start();
	CHECK(first.n_models == 1 && second.n_models == 1 && first.n_contexts == 1 && second.n_contexts == 1);
	fake_engine_lose(&first);
	fake_engine_model(pair, &late_model); // the call that sees the loss
	CHECK(n_told == 1 && first.n_models == 1 && second.n_models == 2);
	CHECK(engine_context_open(pair, 4, 1, &late_context, &e) == 0);
	CHECK(computes(late_context, late_model, &e) == 2 && computes(late_context, model, &e) == 2);
	CHECK(computes(context, late_model, &e) == 2 && first.n_calls == 0 && n_told == 1);
	engine_context_close(late_context);
	engine_model_unref(late_model);
	stop();
}

TEST(standby_sees_a_loss_when_a_context_is_opened)
{
	struct err e;
	struct engine_context *late;
	start();
	fake_engine_lose(&first);
	CHECK(engine_context_open(pair, 4, 1, &late, &e) == 0 && n_told == 1);
	CHECK(computes(late, model, &e) == 2);
	engine_context_close(late);
	stop();
}

static void *compute_many(void *arg)
{
	struct engine_context *own;
	struct err e;
	int last = 1;
	(void)arg;
	CHECK(engine_context_open(pair, 4, 1, &own, &e) == 0);
	for (int i = 0; i < N_PASSES; i++) {
		int by = computes(own, model, &e);
		CHECK_MSG(by >= last, "pass %d by engine %d after one by engine %d", i, by, last);
		last = by;
	}
	CHECK(last == 2);
	engine_context_close(own);
	return NULL;
}

TEST(standby_tells_of_a_loss_once)
{
	pthread_t threads[N_THREADS];
	start();
	first.lost_at = N_PASSES / 2; // of all threads' passes, so that none is through before it
	for (int i = 0; i < N_THREADS; i++)
		pthread_create(&threads[i], NULL, compute_many, NULL);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_MSG(n_told == 1, "told %d times", n_told);
	CHECK(first.n_calls < N_PASSES / 2 + N_THREADS);
	stop();
}
