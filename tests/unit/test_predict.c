// Requests → answers without a socket, over a fake engine whose scores are the picture's first ten bytes.
#include "server/routes/routes.h"

#include "core/log.h"
#include "server/base/health.h"
#include "server/observe/metrics.h"
#include "server/routes/inference.h"
#include "tests/unit/fake_engine.h"
#include "tests/unit/test.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct fake_engine fake;
static struct limits limits;
static struct service *service;
static const struct models_spec specs[] = { { "first", NULL }, { "second", NULL } };
static struct health health;
static struct routes_context routes;
static struct route_table tables[ROUTES_N_TABLES];
static struct metrics *metrics;
static struct route_response response;
static cJSON *answer; // of the last request

static bool batched = true; // by which of the two ways predictions go
static float threshold; // of start(): 0, so that the fake scores are digits

static void start(int queue)
{
	struct err e;
	fake_engine_init(&fake);
	fake.engine.quick = true;
	limits = (struct limits){ .max_body = 1 << 20,
				  .max_pictures = 8,
				  .max_pixels = 10000,
				  .max_whole_pixels = 10000,
				  .max_scans = 32,
				  .deadline_ms = 600000 };
	metrics = metrics_new();
	const struct service_options options = {
		.models = { &fake.engine, specs, 2, NULL, 0, threshold },
		.batching = { 8, 0, queue, metrics },
		.n_callers = 1,
		.gather_on_cpu = batched,
	};
	CHECK_MSG(service_open(&options, &service, &e) == 0, "%s", e.msg);
	CHECK(service_computes_here(service) != batched);
	fake.n_calls = 0; // of the models' check
	health = (struct health){ .open = true };
	routes = (struct routes_context){ service, &limits, &health };
	routes_tables(&routes, tables);
	metrics_set_routes(metrics, tables, ROUTES_N_TABLES);
}

static void stop(void)
{
	cJSON_Delete(answer);
	answer = NULL;
	CHECK(service_stop(service, 1000));
	service_close(service);
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

// Has the call's work done, as http/exchange.c does.
static void work(struct route_call *call)
{
	struct waiter w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
	if (call->worker->compute) {
		call->worker->compute(&call, 1);
		return;
	}
	call->worker->submit(call, done, &w);
	pthread_mutex_lock(&w.lock);
	while (!w.done)
		pthread_cond_wait(&w.changed, &w.lock);
	pthread_mutex_unlock(&w.lock);
}

static const struct route *find(const char *method, const char *path, void **context, struct route_request *request)
{
	response = (struct route_response){ 0 };
	return route_find(tables, ROUTES_N_TABLES, method, path, context, &request->parts, &response);
}

// The whole way of a request. Returns the status; `answer` is the body.
static int ask(const char *method, const char *path, const char *explain, const char *body)
{
	struct route_request request = { .find_header = find_header, .body = body, .n_body = strlen(body) };
	struct route_call *call = NULL;
	void *context;
	if (explain)
		request.arguments[request.n_arguments++] = (struct route_argument){ "explain", explain };
	const struct route *route = find(method, path, &context, &request);
	if (route)
		call = route_start(route, context, &request, &response);
	CHECK(!call == (response.status != 0));
	if (call) {
		work(call);
		route->finish(call, &response);
		route->discard(call);
	}
	metrics_request(metrics, route, response.status, 0, &response.account);
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
	for (int stage = ROUTE_DECODE; stage < ROUTE_N_STAGES; stage++)
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

// What api_explains has not, and as much as there is of a picture in MNIST's form (3) and of a blank one (x).
BOTH_WAYS(api_explains_in_steps)
{
	start(64);
	CHECK(ask("POST", "/predict", "steps", pictures("3xxx3")) == 200);
	const cJSON *p = prediction(0), *steps = cJSON_GetObjectItem(p, "steps"), *step = cJSON_GetArrayItem(steps, 0);
	static const int box[] = { 0, 0, 28, 28 };
	CHECK(cJSON_GetArraySize(steps) == 1 && strcmp(text_of(step, "name"), "input") == 0 &&
	      strstr(text_of(step, "about"), "MNIST"));
	CHECK(strncmp(text_of(step, "png"), "iVBORw0KGgo", 11) == 0);
	CHECK(cJSON_GetArraySize(cJSON_GetObjectItem(p, "input")) == LENET5_PIXELS);
	for (int i = 0; i < 4; i++)
		CHECK(cJSON_GetNumberValue(cJSON_GetArrayItem(cJSON_GetObjectItem(p, "box"), i)) == box[i]);
	steps = cJSON_GetObjectItem(prediction(1), "steps");
	CHECK(strcmp(text_of(cJSON_GetArrayItem(steps, 0), "name"), "picture") == 0);
	CHECK(!cJSON_HasObjectItem(prediction(1), "box") && !cJSON_HasObjectItem(prediction(1), "input"));
	CHECK(cJSON_HasObjectItem(prediction(3), "steps") && !cJSON_HasObjectItem(prediction(4), "steps")); // four have them
	CHECK(cJSON_HasObjectItem(prediction(4), "input") && cJSON_HasObjectItem(prediction(4), "box"));

	CHECK(ask("POST", "/predict", "1", pictures("3")) == 200);
	CHECK(!cJSON_HasObjectItem(prediction(0), "steps") && !cJSON_HasObjectItem(prediction(0), "box"));
	limits.deadline_ms = 0; // nothing is drawn when it is late
	CHECK(ask("POST", "/predict", "steps", pictures("x")) == 200 && !cJSON_HasObjectItem(prediction(0), "steps"));
	limits.deadline_ms = 600000;
	stop();
}

BOTH_WAYS(api_puts_an_error_in_its_place)
{
	start(64);
	CHECK(ask("POST", "/predict", NULL, pictures("4x5")) == 200); // x is blank
	CHECK((int)cJSON_GetNumberValue(cJSON_GetObjectItem(prediction(0), "digit")) == 4);
	CHECK(cJSON_IsNull(cJSON_GetObjectItem(prediction(1), "digit")) && strcmp(text_of(prediction(1), "reason"), "blank") == 0);
	CHECK(response.account.seen[4] == 1 && response.account.seen[5] == 1 && response.account.seen[ROUTE_BLANK] == 1);
	CHECK((int)cJSON_GetNumberValue(cJSON_GetObjectItem(prediction(2), "digit")) == 5);

	CHECK(ask("POST", "/predict", NULL, "{\"images\": [\"aGVsbG8=\", 7]}") == 415);
	CHECK(*text_of(prediction(0), "error") && *text_of(prediction(1), "error") && fake.n_calls == 1);
	CHECK(strcmp(text_of(answer, "error"), text_of(prediction(0), "error")) == 0);
	CHECK(response.account.seen[ROUTE_UNREADABLE] == 2);
	stop();
}

// A refusal is an answer: 200, with the reason, and what the network made of it.
BOTH_WAYS(api_refuses)
{
	threshold = 0.24f; // above what the fake scores give a digit, e/(e + 9)
	start(64);
	CHECK(ask("POST", "/predict", "1", pictures("3x")) == 200 && !cJSON_HasObjectItem(answer, "error"));
	const cJSON *p = prediction(0), *probabilities = cJSON_GetObjectItem(p, "probabilities");
	CHECK(cJSON_IsNull(cJSON_GetObjectItem(p, "digit")) && strcmp(text_of(p, "reason"), "no digit") == 0);
	CHECK(*text_of(p, "message") && !cJSON_HasObjectItem(p, "error"));
	CHECK(cJSON_GetArraySize(probabilities) == 10 && cJSON_GetArraySize(cJSON_GetObjectItem(p, "input")) == LENET5_PIXELS);
	CHECK(cJSON_GetNumberValue(cJSON_GetObjectItem(p, "confidence")) ==
	      cJSON_GetNumberValue(cJSON_GetArrayItem(probabilities, 3)));
	p = prediction(1);
	CHECK(cJSON_IsNull(cJSON_GetObjectItem(p, "digit")) && strcmp(text_of(p, "reason"), "blank") == 0 &&
	      *text_of(p, "message"));
	CHECK(!cJSON_HasObjectItem(p, "confidence") && !cJSON_HasObjectItem(p, "probabilities") &&
	      !cJSON_HasObjectItem(p, "input"));
	CHECK(response.account.seen[ROUTE_NO_DIGIT] == 1 && response.account.seen[ROUTE_BLANK] == 1 && !response.account.seen[3]);

	const int n_calls = fake.n_calls;
	CHECK(ask("POST", "/predict", NULL, pictures("xx")) == 200 && !cJSON_HasObjectItem(answer, "error"));
	CHECK(response.account.seen[ROUTE_BLANK] == 2 && fake.n_calls == n_calls);
	struct model *model = models_get(service_models(service), NULL);
	CHECK(model->statistics->n_success == 2 && model->statistics->n_fail == 0);
	model_unref(model);
	stop();
	threshold = 0;
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
	CHECK(ask("POST", "/predict", NULL, pictures("1")) == 500 && strstr(text_of(answer, "error"), "not finite"));
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
	stop();
}

// What the answer is where the service did not get to a job.
TEST(api_a_job_that_was_not_computed)
{
	static const struct {
		enum job_result result;
		int status;
		enum route_rejection rejection;
	} cases[] = {
		{ JOB_STOPPED, 503, ROUTE_STOPPING },
		{ JOB_GONE, ROUTE_CLIENT_GONE, ROUTE_NOT_REJECTED },
		{ JOB_FAILED, 500, ROUTE_NOT_REJECTED },
	};
	start(8);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *body = pictures("1");
		struct route_request request = { .find_header = find_header, .body = body, .n_body = strlen(body) };
		void *context;
		const struct route *route = find("POST", "/predict", &context, &request);
		struct route_call *call = route_start(route, context, &request, &response);
		((struct inference *)call)->job.result = cases[i].result;
		route->finish(call, &response);
		CHECK(response.status == cases[i].status && response.account.rejection == cases[i].rejection);
		free(response.owned);
		route->discard(call);
	}
	stop();
}

static bool begin_slow(struct inference *x, const struct routes_context *context, const struct route_request *request,
		       struct route_response *r)
{
	(void)request;
	x->model = inference_model(context, NULL, r);
	return true;
}

static int read_slowly(struct inference *x, enum effort effort, struct err *e)
{
	static const uint8_t pixels[LENET5_PIXELS];
	(void)effort, (void)e;
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	x->n_pictures = x->job.n = 1;
	x->job.pixels = pixels;
	return 0;
}

static uint64_t no_memory(const struct inference *x)
{
	(void)x;
	return 0;
}

static void answer_nothing(struct inference *x, struct route_response *r)
{
	(void)x;
	r->status = 204;
}

static void fini_nothing(struct inference *x)
{
	(void)x;
}

TEST(api_decoding_counts_towards_the_deadline)
{
	static const struct inference_kind slow = { sizeof(struct inference), begin_slow,  read_slowly, no_memory,
						    answer_nothing,           fini_nothing };
	const struct route route = INFERENCE_ROUTE("/slow", &slow);
	struct route_request request = { .find_header = find_header, .body = "" };
	batched = false;
	start(8);
	for (int late = 0; late < 2; late++) {
		struct route_response said = { 0 };
		limits.deadline_ms = late ? 10 : 600000;
		struct route_call *call = route_start(&route, &routes, &request, &said);
		work(call);
		inference_finish(call, &said);
		CHECK_MSG(said.status == (late ? 503 : 204), "%d", said.status);
		free(said.owned);
		inference_discard(call);
	}
	batched = true;
	stop();
}

static int count_passes(const char *const *paths, const char *const *bodies, int n)
{
	struct route_call *calls[4];
	const struct route *found[4];
	for (int i = 0; i < n; i++) {
		struct route_request request = { .find_header = find_header, .body = bodies[i], .n_body = strlen(bodies[i]) };
		void *context;
		found[i] = find("POST", paths[i], &context, &request);
		calls[i] = route_start(found[i], context, &request, &response);
		CHECK_MSG(calls[i] && calls[i]->worker == calls[0]->worker, "%s: %d", paths[i], response.status);
	}
	fake.n_calls = 0;
	calls[0]->worker->compute(calls, n);
	for (int i = 0; i < n; i++) {
		response = (struct route_response){ 0 };
		found[i]->finish(calls[i], &response);
		CHECK(response.status == 200);
		free(response.owned);
		found[i]->discard(calls[i]);
	}
	return fake.n_calls;
}

// On a CPU the threads that answer gather jobs of all routes: one forward pass for both protocols.
TEST(api_predict_and_infer_share_a_pass)
{
	char tensor[8192] = "{\"inputs\": [{\"name\": \"input\", \"datatype\": \"UINT8\", \"shape\": [1, 1, 28, 28], \"data\": [0";
	for (int i = 1; i < LENET5_PIXELS; i++)
		strcat(tensor, ",1");
	strcat(tensor, "]}]}");
	char picture[8192];
	strcpy(picture, pictures("7"));
	const char *const paths[] = { "/predict", "/v2/models/first/infer", "/predict", "/v2/models/second/infer" };
	const char *const bodies[] = { picture, tensor, picture, tensor };
	batched = false;
	start(8);
	CHECK(count_passes(paths, bodies, 3) == 1);
	CHECK(count_passes(paths, bodies, 4) == 2); // another model, another pass
	batched = true;
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
		{ HEALTH_LOSS_UNREADY, 503, false, "not ready: lost cuda (a card): it fell off; the CPU has taken over" },
		{ HEALTH_LOSS_EXIT, 503, true,
		  "not ready: lost cuda (a card): it fell off; the CPU answers the requests in flight" },
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
