#include "server/supervise/watchdog.h"

#include "server/compute/service.h"
#include "server/http/http.h"
#include "server/observe/observer.h"
#include "tests/unit/fake_engine.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PERIOD_US = 10000, PATIENCE_MS = 60000, N_THREADS = 3 };

static struct fake_engine fake;
static struct service *service;
static struct observer observer;
static struct http *http;
static struct watchdog *watchdog;
static int systemd; // the socket that it is told by

// A request that holds the thread that it is answered by.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool holding, released; // lock

static struct route_call *hold_thread(void *context, const struct route_request *request, struct route_response *response)
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
	static const struct route route = { .path = "/hold", .method = "GET", .start = hold_thread };
	static const struct route_table table = { &route, 1, NULL };
	struct err e;
	metrics_set_routes(observer.metrics, &table, 1);
	const struct http_options options = {
		.listen = { .kind = LISTEN_TCP, .host = "127.0.0.1" },
		.n_threads = N_THREADS,
		.limits = &limits,
		.tables = &table,
		.n_tables = 1,
		.observer = &observer,
	};
	CHECK_MSG(http_open(&options, &http, &e) == 0, "%s", e.msg);
}

static uint64_t count_passes(void *arg)
{
	uint64_t n_passes, n_pictures;
	(void)arg;
	metrics_passes(observer.metrics, &n_passes, &n_pictures);
	return n_passes;
}

static int add_connection(void *arg, int fd)
{
	(void)arg;
	return http_add_connection(http, fd);
}

static void probe(void *arg, void (*done)(void *), void *done_arg)
{
	(void)arg;
	service_probe(service, done, done_arg);
}

static atomic_bool stuck;

static bool is_stuck(void *arg)
{
	(void)arg;
	return atomic_load(&stuck);
}

static void start(bool batched)
{
	static const struct models_spec spec = { "m", NULL };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct err e;
	fake_engine_init(&fake);
	fake.engine.quick = true;
	holding = released = false;
	CHECK(observer_open(ACCESS_LOG_OFF, &observer, &e) == 0);
	const struct service_options options = {
		.models = { &fake.engine, &spec, 1, NULL, 0, -1 },
		.batching = { 4, 0, 100, observer.metrics },
		.n_callers = N_THREADS,
		.gather_on_cpu = batched,
	};
	CHECK(service_open(&options, &service, &e) == 0);
	snprintf(name.sun_path, sizeof name.sun_path, "/tmp/lenet-watchdog-%d", (int)getpid());
	systemd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(bind(systemd, (struct sockaddr *)&name, sizeof name) == 0);
	setenv("NOTIFY_SOCKET", name.sun_path, 1);
	start_http();
	const struct watchdog_options watching = { PERIOD_US, N_THREADS, add_connection, batched ? count_passes : NULL, probe,
						   is_stuck,  NULL };
	CHECK(watchdog_open(&watching, &watchdog, &e) == 0);
}

static void stop(void)
{
	watchdog_close(watchdog);
	http_close(http);
	CHECK(service_stop(service, 1000));
	service_close(service);
	unlink(getenv("NOTIFY_SOCKET"));
	unsetenv("NOTIFY_SOCKET");
	close(systemd);
	CHECK(fake.n_models == 0 && fake.n_contexts == 0);
	observer_close(&observer);
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

TEST(watchdog_speaks_while_no_decoder_is_stuck)
{
	start(false);
	CHECK(is_told(PATIENCE_MS));
	atomic_store(&stuck, true);
	CHECK(falls_silent());
	atomic_store(&stuck, false);
	CHECK(is_told(PATIENCE_MS));
	stop();
}

TEST(watchdog_asks_for_a_pass_only_if_none_came)
{
	start(true);
	for (int i = 0; i < 16; i++)
		CHECK(is_told(PATIENCE_MS));
	uint64_t n_passes = count_passes(NULL);
	CHECK_MSG(n_passes > 0 && n_passes < 12, "%d passes", (int)n_passes); // of 8, one every other time
	stop();
}

TEST(watchdog_speaks_while_every_http_thread_turns)
{
	static const char request[] = "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct sockaddr_in address = { .sin_family = AF_INET };
	start(false);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)atoi(strrchr(http_address(http), ':') + 1));
	for (int i = 0; i < 3; i++)
		CHECK(is_told(PATIENCE_MS));
	int client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0 &&
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
