// Requests → answers without a socket, over a fake engine whose scores are the picture's first ten bytes.
#include "server/api.h"

#include "core/log.h"
#include "server/clock.h"
#include "server/inference.h"
#include "tests/unit/fake_engine.h"
#include "tests/unit/test.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_engine fake;
static struct limits limits;
static struct models *models;
static const struct models_spec specs[] = { { "first", NULL }, { "second", NULL } };
static struct health health;
static struct metrics *metrics;
static struct api api;
static struct route_response response;
static cJSON *answer; // of the last request

static bool batched = true; // by which of the two ways predictions go

static void start(int queue)
{
	struct err e;
	metrics = metrics_new();
	const struct batcher_options options = { 8, 0, queue, metrics };
	fake_engine_init(&fake);
	limits = (struct limits){ .max_body = 1 << 20, .max_pictures = 8, .max_pixels = 10000, .deadline_ms = 600000 };
	const struct models_options serving = { &fake.engine, specs, 2, NULL, 0 };
	CHECK_MSG(models_open(&serving, &models, &e) == 0, "%s", e.msg);
	fake.n_calls = 0; // of the check
	CHECK_MSG(batcher_open(&fake.engine, &options, &api.batcher, &e) == 0, "%s", e.msg);
	CHECK_MSG(direct_open(&fake.engine, 1, metrics, &api.direct, &e) == 0, "%s", e.msg);
	api.limits = &limits;
	api.models = models;
	api.health = &health;
	api.metrics = metrics;
	health = (struct health){ .open = true };
}

static void stop(void)
{
	cJSON_Delete(answer);
	answer = NULL;
	batcher_close(api.batcher);
	direct_close(api.direct);
	models_close(models);
	metrics_free(metrics);
	CHECK(fake.n_models == 0);
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
};

static void done(void *arg)
{
	struct waiter *w = arg;
	pthread_mutex_lock(&w->lock);
	w->done = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static const char *find_header(const void *headers, const char *name)
{
	(void)headers;
	return strcmp(name, "Content-Type") == 0 ? "application/json" : strcmp(name, "Content-Length") == 0 ? "0" : NULL;
}

// What exchange.c does with a request. Returns the status; `answer` is the body.
static int ask(const char *method, const char *path, const char *explain, const char *body)
{
	const struct route_table table[] = { { api_routes, api_n_routes, &api },
					     { batched ? &api_predict_batched : &api_predict_direct, 1, &api } };
	struct route_request request = { .find_header = find_header, .body = body, .n_body = strlen(body) };
	struct waiter w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
	void *context, *call = NULL;
	if (explain)
		request.arguments[request.n_arguments++] = (struct route_argument){ "explain", explain };
	response = (struct route_response){ 0 };
	const struct route *route = route_find(table, 2, method, path, &context, &request.parts, &response);
	if (route)
		call = route->start(context, &request, &response);
	CHECK(!call == (response.status != 0));
	if (call && route->compute) {
		route->compute(&call, 1);
	} else if (call) {
		route->submit(call, done, &w);
		pthread_mutex_lock(&w.lock);
		while (!w.done)
			pthread_cond_wait(&w.changed, &w.lock);
		pthread_mutex_unlock(&w.lock);
	}
	if (call) {
		route->finish(call, &response);
		route->discard(call);
	}
	cJSON_Delete(answer);
	answer = cJSON_ParseWithLength(response.body, response.n_body);
	CHECK_MSG(answer != NULL, "no JSON: %.*s", (int)response.n_body, response.body);
	free(response.owned);
	return response.status;
}

// {"pixels": …} of pictures with a stroke in the middle; the first ten bytes are 0 but for a 1 at the digit. x: a blank one.
static const char *pictures(const char *digits)
{
	static char text[1 << 16];
	char *c = text + sprintf(text, "{\"pixels\": [");
	for (const char *d = digits; *d; d++) {
		c += sprintf(c, "%s[", d == digits ? "" : ",");
		for (int i = 0; i < LENET5_PIXELS; i++)
			c += sprintf(c, "%s%d", i ? "," : "",
				     i < 10                      ? i == *d - '0'
				     : *d != 'x' && i / 28 == 14 ? 200 + i % 28
								 : 0);
		c += sprintf(c, "]");
	}
	strcpy(c, "]}");
	return text;
}

static const cJSON *prediction(int i)
{
	return cJSON_GetArrayItem(cJSON_GetObjectItem(answer, "predictions"), i);
}

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
	return text ? text : "";
}

static const char *header(const char *name)
{
	for (int i = 0; i < response.n_headers; i++)
		if (strcmp(response.headers[i].name, name) == 0)
			return response.headers[i].value;
	return "";
}

// A test of a prediction that is to come out the same by both ways.
#define BOTH_WAYS(name)                                                                                                            \
	static void name(void);                                                                                                    \
	TEST(name##_batched)                                                                                                       \
	{                                                                                                                          \
		batched = true;                                                                                                    \
		name();                                                                                                            \
	}                                                                                                                          \
	TEST(name##_directly)                                                                                                      \
	{                                                                                                                          \
		batched = false;                                                                                                   \
		name();                                                                                                            \
		batched = true;                                                                                                    \
	}                                                                                                                          \
	static void name(void)

BOTH_WAYS(api_predicts)
{
	start(64);
	CHECK(ask("POST", "/predict", NULL, pictures("72")) == 200);
	CHECK(strcmp(text_of(answer, "model"), "first") == 0 && !cJSON_HasObjectItem(answer, "error"));
	CHECK(cJSON_GetArraySize(cJSON_GetObjectItem(answer, "predictions")) == 2);
	CHECK(strcmp(response.account.model, "first") == 0 && response.account.n_pictures == 2);
	for (int stage = 0; stage < ROUTE_N_STAGES; stage++)
		CHECK(response.account.stages & 1u << stage && response.account.ns[stage] >= 0);
	for (int i = 0; i < 2; i++) {
		const cJSON *p = prediction(i), *probabilities = cJSON_GetObjectItem(p, "probabilities");
		int digit = i ? 2 : 7;
		CHECK((int)cJSON_GetNumberValue(cJSON_GetObjectItem(p, "digit")) == digit);
		CHECK(cJSON_GetArraySize(probabilities) == 10 && !cJSON_HasObjectItem(p, "input"));
		double confidence = cJSON_GetNumberValue(cJSON_GetObjectItem(p, "confidence"));
		CHECK(confidence == cJSON_GetNumberValue(cJSON_GetArrayItem(probabilities, digit)));
		CHECK(fabs(confidence - exp(1) / (exp(1) + 9)) < 1e-7); // of one score 1 and nine 0
	}
	stop();
}

BOTH_WAYS(api_explains)
{
	start(64);
	CHECK(ask("POST", "/predict", "1", pictures("3")) == 200);
	const cJSON *input = cJSON_GetObjectItem(prediction(0), "input");
	CHECK(cJSON_GetArraySize(input) == LENET5_PIXELS);
	CHECK(cJSON_GetNumberValue(cJSON_GetArrayItem(input, 3)) == 1 &&
	      cJSON_GetNumberValue(cJSON_GetArrayItem(input, 14 * 28 + 27)) == 227);
	CHECK(ask("POST", "/predict", "false", pictures("3")) == 200 && !cJSON_HasObjectItem(prediction(0), "input"));
	CHECK(ask("POST", "/predict", "perhaps", pictures("3")) == 400 && strstr(text_of(answer, "error"), "explain=1"));
	stop();
}

BOTH_WAYS(api_puts_an_error_in_its_place)
{
	start(64);
	CHECK(ask("POST", "/predict", NULL, pictures("4x5")) == 200); // x is blank
	CHECK((int)cJSON_GetNumberValue(cJSON_GetObjectItem(prediction(0), "digit")) == 4);
	CHECK(cJSON_IsNull(cJSON_GetObjectItem(prediction(1), "digit")) && *text_of(prediction(1), "reason"));
	CHECK((int)cJSON_GetNumberValue(cJSON_GetObjectItem(prediction(2), "digit")) == 5);

	CHECK(ask("POST", "/predict", NULL, pictures("x")) == 422);
	CHECK(*text_of(answer, "error") && strcmp(text_of(answer, "error"), text_of(prediction(0), "reason")) == 0);
	CHECK(ask("POST", "/predict", NULL, "{\"images\": [\"aGVsbG8=\", 7]}") == 415);
	CHECK(*text_of(prediction(0), "error") && *text_of(prediction(1), "error") && fake.n_calls == 1);
	stop();
}

BOTH_WAYS(api_errors)
{
	start(64);
	CHECK(ask("POST", "/predict", NULL, "") == 400 && *text_of(answer, "error"));
	CHECK(ask("GET", "/predict", NULL, "") == 405 && strcmp(header("Allow"), "POST") == 0);
	CHECK(ask("POST", "/healthz", NULL, "") == 405 && strcmp(header("Allow"), "GET, HEAD") == 0);
	CHECK(ask("GET", "/predict/", NULL, "") == 404 && strstr(text_of(answer, "error"), "/predict/"));
	CHECK(ask("GET", "/\xff\"\\\n", NULL, "") == 404);
	fake_engine_fail(true);
	CHECK(ask("POST", "/predict", NULL, pictures("1")) == 500 && strstr(text_of(answer, "error"), "the fake has failed"));
	fake_engine_fail(false);
	fake_engine_score(NAN);
	CHECK(ask("POST", "/predict", NULL, pictures("1")) == 500 && strstr(text_of(answer, "error"), "not a number"));
	fake_engine_score(0);
	CHECK(ask("POST", "/predict", NULL, pictures("1")) == 200);
	stop();
}

static bool counts_rejection(const char *reason, int n)
{
	char line[128];
	struct text t = { 0 };
	size_t n_text;
	snprintf(line, sizeof line, "\nlenet_rejections_total{reason=\"%s\"} %d\n", reason, n);
	metrics_write(metrics, &t);
	char *text = text_take(&t, &n_text);
	bool found = strstr(text, line) != NULL;
	free(text);
	return found;
}

TEST(api_says_when_to_come_back)
{
	start(8);
	limits.max_pictures = 9;
	CHECK(ask("POST", "/predict", NULL, pictures("123456789")) == 503 && strcmp(header("Retry-After"), "1") == 0);
	CHECK(counts_rejection("queue_full", 1) && counts_rejection("late", 0) && counts_rejection("stopping", 0));
	CHECK(response.account.n_pictures == 9 && response.account.stages == 1u << ROUTE_DECODE);
	limits.deadline_ms = 0;
	CHECK(ask("POST", "/predict", NULL, pictures("1")) == 503 && strcmp(header("Retry-After"), "1") == 0);
	CHECK(strstr(text_of(answer, "error"), "within 0 ms") && fake.n_calls == 0);
	CHECK(counts_rejection("late", 1) && response.account.stages == (1u << ROUTE_DECODE | 1u << ROUTE_QUEUE));
	limits.deadline_ms = 600000;
	batcher_stop(api.batcher);
	CHECK(ask("POST", "/predict", NULL, pictures("1")) == 503 && strstr(text_of(answer, "error"), "going down"));
	CHECK(counts_rejection("stopping", 1) && counts_rejection("queue_full", 1));
	stop();
}

TEST(api_decoding_counts_towards_the_deadline)
{
	const uint8_t pixels[LENET5_PIXELS] = { 0 };
	const struct route_request request = { 0 };
	float scores[LENET5_DIGITS];
	struct inference x;
	void *call = &x;
	start(8);
	for (int late = 0; late < 2; late++) {
		struct route_response said = { 0 };
		inference_init(&x, &api, models_get(models, NULL), &request, clock_now_ns() - 500000000, late ? 500 : 600000);
		x.job.n = 1;
		x.job.pixels = pixels;
		x.job.scores = scores;
		inference_compute(&call, 1);
		CHECK(inference_succeeded(&x, &said) == !late && said.status == (late ? 503 : 0));
		free(said.owned);
		inference_fini(&x);
	}
	stop();
}

TEST(api_live_and_ready)
{
	start(8);
	CHECK(ask("GET", "/healthz", NULL, "") == 200 && ask("HEAD", "/readyz", NULL, "") == 200);
	CHECK(cJSON_GetNumberValue(cJSON_GetObjectItem(answer, "engine_losses")) == 0);
	atomic_store(&health.open, false);
	CHECK(ask("GET", "/healthz", NULL, "") == 200 && ask("GET", "/readyz", NULL, "") == 503);
	CHECK(strcmp(text_of(answer, "error"), "not ready: the daemon is going down") == 0);
	stop();
}

TEST(api_ready_after_a_loss)
{
	static const struct {
		enum health_on_loss on_loss;
		int status;
		bool must_exit;
		const char *words;
	} cases[] = {
		{ HEALTH_LOSS_CPU, 200, false, "" },
		{ HEALTH_LOSS_UNREADY, 503, false, "not ready: lost cuda (a card): it fell off; the CPU goes on" },
		{ HEALTH_LOSS_EXIT, 503, true, "not ready: lost cuda (a card): it fell off; the CPU answers what is in flight" },
	};
	const struct err why = { "it fell off" };
	log_set_level(LOG_ERROR + 1); // what is logged here is no error of the tests
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		start(8);
		health.on_loss = cases[i].on_loss;
		CHECK(ask("GET", "/readyz", NULL, "") == 200 && !health_must_exit(&health));
		health_engine_lost(&health, "cuda (a card)", &why);
		CHECK(ask("GET", "/readyz", NULL, "") == cases[i].status && health_must_exit(&health) == cases[i].must_exit);
		CHECK_MSG(strncmp(text_of(answer, "error"), cases[i].words, strlen(cases[i].words)) == 0, "%s",
			  text_of(answer, "error"));
		if (cases[i].status == 200)
			CHECK(cJSON_GetNumberValue(cJSON_GetObjectItem(answer, "engine_losses")) == 1);
		CHECK(ask("POST", "/predict", NULL, pictures("1")) == 200 && ask("GET", "/healthz", NULL, "") == 200);
		stop();
	}
	log_set_level(LOG_INFO);
}
