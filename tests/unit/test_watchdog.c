#include "server/watchdog.h"

#include "server/http.h"
#include "server/metrics.h"
#include "tests/unit/fake_engine.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PERIOD_US = 10000, PATIENCE_MS = 60000, N_THREADS = 3 };

static struct fake_engine fake;
static struct models *models;
static struct metrics *metrics;
static struct batcher *batcher;
static struct listener listener;
static struct http *http;
static struct watchdog *watchdog;
static int systemd; // the socket that it is told by

// A request that holds the thread that it is answered by.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool holding, released; // lock

static void *hold_thread(void *context, const struct route_request *request, struct route_response *response)
{
	(void)context, (void)request;
	pthread_mutex_lock(&lock);
	holding = true;
	pthread_cond_broadcast(&changed);
	while (!released)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	route_answer_error(response, 500, "held");
	return NULL;
}

static void start_http(void)
{
	static const struct limits limits = { .max_body = 1000,
					      .max_buffer = 2000,
					      .max_connections = 16,
					      .header_timeout_ms = 600000,
					      .body_timeout_ms = 600000,
					      .idle_timeout_s = 600 };
	static const struct doors_names none;
	static const struct doors doors = { &none, &none, false, NULL };
	static const struct route route = { "/hold", "GET", hold_thread, NULL, NULL, NULL, NULL };
	static const struct route_table table = { &route, 1, NULL };
	const struct listen_spec spec = { .kind = LISTEN_TCP, .host = "127.0.0.1" };
	struct err e;
	CHECK_MSG(listen_open(&spec, &listener, &e) == 0, "%s", e.msg);
	metrics_set_routes(metrics, &table, 1);
	const struct http_options options = { &listener, N_THREADS, false, &doors, &limits, &table, 1, metrics, NULL };
	CHECK_MSG(http_open(&options, &http, &e) == 0, "%s", e.msg);
}

static void start(bool batched)
{
	static const struct models_spec spec = { "m", NULL };
	const struct models_options options = { &fake.engine, &spec, 1, NULL, 0 };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct err e;
	fake_engine_init(&fake);
	metrics = metrics_new();
	holding = released = false;
	CHECK(models_open(&options, &models, &e) == 0);
	snprintf(name.sun_path, sizeof name.sun_path, "/tmp/lenet-watchdog-%d", (int)getpid());
	systemd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(bind(systemd, (struct sockaddr *)&name, sizeof name) == 0);
	setenv("NOTIFY_SOCKET", name.sun_path, 1);
	start_http();
	const struct batcher_options gathering = { 4, 0, 100, metrics };
	batcher = NULL;
	CHECK(!batched || batcher_open(&fake.engine, &gathering, &batcher, &e) == 0);
	const struct watchdog_options watching = { PERIOD_US, http, N_THREADS, batcher, metrics, models };
	CHECK(watchdog_open(&watching, &watchdog, &e) == 0);
}

static void stop(void)
{
	watchdog_close(watchdog);
	http_close(http);
	listen_close(&listener);
	batcher_close(batcher);
	unlink(getenv("NOTIFY_SOCKET"));
	unsetenv("NOTIFY_SOCKET");
	close(systemd);
	models_close(models);
	CHECK(fake.n_models == 0 && fake.n_contexts == 0);
	metrics_free(metrics);
}

static bool is_told(int timeout_ms)
{
	struct pollfd p = { .fd = systemd, .events = POLLIN };
	char message[64] = "";
	if (poll(&p, 1, timeout_ms) != 1)
		return false;
	CHECK(recv(systemd, message, sizeof message - 1, 0) > 0 && strcmp(message, "WATCHDOG=1") == 0);
	return true;
}

static bool falls_silent(void)
{
	for (int i = 0; i < 100 && is_told(5 * PERIOD_US / 1000); i++) // of what was seen before
		;
	return !is_told(10 * PERIOD_US / 1000);
}

TEST(watchdog_speaks_while_the_engine_answers)
{
	start(true);
	for (int i = 0; i < 3; i++)
		CHECK(is_told(PATIENCE_MS));
	fake_engine_hold();
	fake_engine_await();
	CHECK(falls_silent());
	fake_engine_release();
	CHECK(is_told(PATIENCE_MS));
	stop();
}

TEST(watchdog_asks_for_a_pass_only_if_none_came)
{
	uint64_t n_passes, n_pictures;
	start(true);
	for (int i = 0; i < 16; i++)
		CHECK(is_told(PATIENCE_MS));
	metrics_passes(metrics, &n_passes, &n_pictures);
	CHECK_MSG(n_passes > 0 && n_passes < 12, "%d passes", (int)n_passes); // of 8, one every other time
	stop();
}

TEST(watchdog_speaks_while_every_http_thread_turns)
{
	static const char request[] = "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n";
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t n = sizeof address;
	start(false);
	CHECK(getsockname(listener.fd, (struct sockaddr *)&address, &n) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(is_told(PATIENCE_MS));
	int client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(client, (struct sockaddr *)&address, n) == 0 &&
	      send(client, request, sizeof request - 1, 0) == sizeof request - 1);
	pthread_mutex_lock(&lock);
	while (!holding)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	CHECK(falls_silent());
	pthread_mutex_lock(&lock);
	released = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	CHECK(is_told(PATIENCE_MS));
	close(client);
	stop();
}
