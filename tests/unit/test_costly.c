// Requests that are left to a decoder, over a fake engine. Their kind reads nothing: the test says what a read costs and what comes of it.
#include "server/routes/inference.h"

#include "core/builtin.h"
#include "tests/unit/fake_engine.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct fake_engine fake;
static struct metrics *metrics;
static struct service *service;
static struct limits limits;
static struct routes_context routes;

// What a read does, by the first byte of the body: 'c' is costly, 'o' overruns, 's' is small.
static int status_of_read; // on a decoder
static bool held, holding; // lock; a decoder is to wait in a read, and one does
static int n_pictures_of_read;
static pthread_t answered_on;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static bool begin(struct inference *x, const struct routes_context *context, const struct route_request *request,
		  struct route_response *response)
{
	(void)request;
	x->model = inference_model(context, NULL, response);
	return true;
}

static int read_body(struct inference *x, enum effort effort, struct err *e)
{
	if (effort != EFFORT_WHOLE && *x->body == 'c')
		return EFFORT_COSTLY;
	if (effort != EFFORT_WHOLE && *x->body == 'o')
		return effort == EFFORT_TINY ? EFFORT_COSTLY : EFFORT_OVERRAN;
	pthread_mutex_lock(&lock);
	holding = held;
	pthread_cond_broadcast(&changed);
	while (held && effort == EFFORT_WHOLE)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	if (effort == EFFORT_WHOLE && status_of_read)
		return err_status(e, status_of_read, "as the test says");
	x->n_pictures = 1;
	x->job.n = effort == EFFORT_WHOLE ? n_pictures_of_read : 1;
	x->job.pixels = builtin_digits();
	return 0;
}

static uint64_t memory(const struct inference *x)
{
	(void)x;
	return 1;
}

static void answer(struct inference *x, struct route_response *response)
{
	struct text t = { 0 };
	answered_on = pthread_self();
	text_printf(&t, "%d", x->job.n);
	route_answer_json(response, x->job.n ? 200 : 422, &t);
}

static void fini(struct inference *x)
{
	(void)x;
}

static const struct inference_kind kind = { sizeof(struct inference), begin, read_body, memory, answer, fini };
static const struct route route = INFERENCE_ROUTE("/test", &kind);

static void start(bool batched)
{
	static const struct models_spec spec = { "m", NULL };
	struct err e;
	fake_engine_init(&fake);
	fake.engine.quick = true;
	limits = (struct limits){ .deadline_ms = 600000 };
	metrics = metrics_new();
	status_of_read = 0;
	n_pictures_of_read = 3;
	const struct service_options options = {
		.models = { &fake.engine, &spec, 1, NULL, 0 },
		.batching = { 8, 0, 8, metrics },
		.decoding = { 1, 1, 1 },
		.n_callers = 1,
		.gather_on_cpu = batched,
	};
	CHECK_MSG(service_open(&options, &service, &e) == 0, "%s", e.msg);
	fake.n_calls = 0; // of the model's check
	routes = (struct routes_context){ service, &limits, NULL };
}

static void stop(void)
{
	CHECK(service_stop(service, 1000));
	service_close(service);
	metrics_free(metrics);
	CHECK(fake.n_models == 0 && fake.n_contexts == 0);
}

// A request, from its start to its answer.
struct ask {
	struct route_call *call;
	struct route_response response;
	atomic_bool gone;
	bool done; // lock
};

static void done(void *arg)
{
	struct ask *a = arg;
	pthread_mutex_lock(&lock);
	a->done = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void ask(struct ask *a, const char *body, uint64_t client)
{
	struct route_request request = { .body = body, .n_body = strlen(body), .gone = &a->gone, .client = client };
	*a = (struct ask){ .call = NULL };
	a->call = route_start(&route, &routes, &request, &a->response);
	if (!a->call)
		return;
	CHECK(a->call->keeps_request == (*body != 's'));
	if (a->call->worker->submit)
		a->call->worker->submit(a->call, done, a);
	else
		a->call->worker->compute(&a->call, 1);
}

// Returns the status of the answer, which it frees.
static int finish(struct ask *a)
{
	pthread_mutex_lock(&lock);
	while (a->call && a->call->worker->submit && !a->done)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	if (a->call)
		inference_finish(a->call, &a->response);
	free(a->response.owned);
	inference_discard(a->call);
	return a->response.status;
}

static int ask_whole(struct ask *a, const char *body)
{
	ask(a, body, 0);
	return finish(a);
}

enum {
	DECODED = 1 << ROUTE_DECODE,
	COMPUTED = DECODED | 1 << ROUTE_QUEUE | 1 << ROUTE_COMPUTE,
	WAITED = 1 << ROUTE_WAIT,
};

TEST(costly_requests_are_answered_by_both_ways)
{
	struct ask a;
	for (int batched = 0; batched < 2; batched++) {
		start(batched);
		CHECK(ask_whole(&a, "small") == 200 && a.response.account.stages == COMPUTED && fake.batches[0] == 1);
		CHECK(pthread_equal(answered_on, pthread_self()));
		fake.n_calls = 0;
		CHECK(ask_whole(&a, "costly") == 200 && a.response.account.stages == (WAITED | COMPUTED) && fake.batches[0] == 3);
		CHECK((pthread_equal(answered_on, pthread_self()) != 0) == batched); // on a CPU the decoder does the rest, too
		CHECK(a.response.account.n_pictures == 1 && strcmp(a.response.account.model, "m") == 0);
		n_pictures_of_read = 0;
		CHECK(ask_whole(&a, "costly") == 422 && a.response.account.stages == (WAITED | DECODED));
		status_of_read = 413;
		CHECK(ask_whole(&a, "costly") == 413 && a.response.account.rejection == ROUTE_NOT_REJECTED);
		status_of_read = 503;
		CHECK(ask_whole(&a, "costly") == 503 && a.response.account.rejection == ROUTE_LATE);
		stop();
	}
}

// While the decoder is in a forward pass, one request waits, and one is too many.
TEST(costly_requests_that_do_not_fit)
{
	struct ask running, waiting, over, late, left;
	start(false);
	fake_engine_hold();
	ask(&running, "costly", 1);
	fake_engine_await();
	ask(&waiting, "costly", 2);
	ask(&over, "costly", 2);
	CHECK(finish(&over) == 503 && over.response.account.rejection == ROUTE_DECODE_QUEUE_FULL);
	CHECK(over.response.account.stages == WAITED);
	limits.deadline_ms = 1;
	ask(&late, "costly", 3); // takes the place of one of 2, or comes behind it
	CHECK(finish(&late) == 503);
	limits.deadline_ms = 600000;
	fake_engine_release();
	CHECK(finish(&running) == 200 && finish(&waiting) == 200);
	fake_engine_hold();
	ask(&running, "costly", 1);
	fake_engine_await();
	ask(&left, "costly", 2);
	atomic_store(&left.gone, true);
	fake_engine_release();
	CHECK(finish(&left) == ROUTE_CLIENT_GONE && finish(&running) == 200);
	stop();
}

static void set(bool *flag, bool value)
{
	pthread_mutex_lock(&lock);
	*flag = value;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

// Small requests do not wait for a decoder, whatever it does.
TEST(costly_requests_hold_no_small_one)
{
	struct ask costly[2], small;
	for (int batched = 0; batched < 2; batched++) {
		start(batched);
		set(&held, true);
		ask(&costly[0], "costly", 1);
		pthread_mutex_lock(&lock);
		while (!holding)
			pthread_cond_wait(&changed, &lock);
		pthread_mutex_unlock(&lock);
		ask(&costly[1], "costly", 1);
		for (int i = 0; i < 3; i++)
			CHECK(ask_whole(&small, "small") == 200);
		CHECK(!costly[0].done && !costly[1].done);
		set(&held, false);
		CHECK(finish(&costly[0]) == 200 && finish(&costly[1]) == 200);
		stop();
	}
}

TEST(costly_pixels_make_a_thread_wary)
{
	struct ask a;
	start(false);
	CHECK(ask_whole(&a, "overruns") == 200 && a.response.account.stages == (WAITED | COMPUTED));
	ask(&a, "overruns", 0); // is not tried here again; read_body() says the same either way
	CHECK(a.call->keeps_request && finish(&a) == 200);
	CHECK(ask_whole(&a, "small") == 200 && a.response.account.stages == COMPUTED);
	stop();
}
