// Counters, their buckets and their text.
#include "server/observe/prometheus_text.h"
#include "server/observe/metrics.h"
#include "server/observe/process_metrics.h"

#include "tests/unit/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct route routes[] = { { .path = "/predict", .method = "POST" }, { .path = "/readyz", .method = "GET" } };
static const struct route more[] = { { .path = "/v2/models/*", .method = "GET" } };
static const struct route_table tables[] = { { routes, 2, NULL }, { more, 1, NULL } };

static struct metrics *metrics;
static char *text; // of the last written()

static void start(void)
{
	metrics = metrics_new();
	metrics_set_routes(metrics, tables, 2);
}

static void stop(void)
{
	metrics_free(metrics);
	free(text);
	text = NULL;
}

static void write_all(void)
{
	struct text t = { 0 };
	size_t n;
	metrics_write(metrics, &t);
	free(text);
	text = text_take(&t, &n);
}

static bool has(const char *line)
{
	const char *at = text;
	size_t n = strlen(line);
	while (at && !(strncmp(at, line, n) == 0 && at[n] == '\n'))
		at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
	return at != NULL;
}
#define HAS(line) CHECK_MSG(has(line), "not there: %s", line)

TEST(prometheus_text_writes_the_format)
{
	static const struct prometheus_text_bound bounds[] = { { 1000, "1e-06" }, { 1000000000, "1" } };
	static const uint64_t counts[] = { 2, 3, 4 };
	struct text t = { 0 };
	size_t n;
	prometheus_text_family(&t, "a_seconds", "histogram", "How long.");
	prometheus_text_histogram(&t, "a_seconds", "x=\"y\"", bounds, 2, counts, 12000000345, 1000000000);
	prometheus_text_histogram(&t, "b", "", bounds, 0, counts, 7, 1);
	prometheus_text_counter(&t, "c_total", "Things.", UINT64_MAX);
	char *all = text_take(&t, &n);
	CHECK_MSG(strcmp(all, "# HELP a_seconds How long.\n"
			      "# TYPE a_seconds histogram\n"
			      "a_seconds_bucket{x=\"y\",le=\"1e-06\"} 2\n"
			      "a_seconds_bucket{x=\"y\",le=\"1\"} 5\n"
			      "a_seconds_bucket{x=\"y\",le=\"+Inf\"} 9\n"
			      "a_seconds_sum{x=\"y\"} 12.000000345\n"
			      "a_seconds_count{x=\"y\"} 9\n"
			      "b_bucket{le=\"+Inf\"} 2\n"
			      "b_sum 7\n"
			      "b_count 2\n"
			      "# HELP c_total Things.\n"
			      "# TYPE c_total counter\n"
			      "c_total 18446744073709551615\n") == 0,
		  "%s", all);
	free(all);
}

TEST(metrics_buckets_hold_their_bounds)
{
	struct route_account account = { 0 };
	start();
	const int64_t times[] = { -5, 0, 1000, 1001, 2500, 10000000000, 10000000001 };
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		account.stages = 0;
		route_account_add(&account, ROUTE_COMPUTE, times[i]);
		metrics_request(metrics, &routes[0], 200, 0, &account);
	}
	write_all();
	HAS("lenet_compute_duration_seconds_bucket{le=\"1e-06\"} 3");
	HAS("lenet_compute_duration_seconds_bucket{le=\"2.5e-06\"} 5");
	HAS("lenet_compute_duration_seconds_bucket{le=\"5\"} 5");
	HAS("lenet_compute_duration_seconds_bucket{le=\"10\"} 6");
	HAS("lenet_compute_duration_seconds_bucket{le=\"+Inf\"} 7");
	HAS("lenet_compute_duration_seconds_sum 20.000004502");
	HAS("lenet_queue_duration_seconds_count 0");
	stop();
}

TEST(metrics_count_requests_by_route_and_status)
{
	const struct route_account account = { 0 };
	start();
	metrics_request(metrics, &routes[0], 200, 1000, &account);
	metrics_request(metrics, &routes[0], 200, 1000, &account);
	metrics_request(metrics, &routes[0], 503, 1000, &account);
	metrics_request(metrics, &more[0], 200, 1000, &account);
	metrics_request(metrics, NULL, 404, 1000, &account);
	write_all();
	HAS("lenet_requests_total{route=\"/predict\",method=\"POST\",code=\"200\"} 2");
	HAS("lenet_requests_total{route=\"/predict\",method=\"POST\",code=\"503\"} 1");
	HAS("lenet_requests_total{route=\"/v2/models/*\",method=\"GET\",code=\"200\"} 1");
	HAS("lenet_requests_total{route=\"none\",method=\"any\",code=\"404\"} 1");
	HAS("lenet_request_duration_seconds_count{route=\"/predict\",method=\"POST\"} 3");
	CHECK(!strstr(text, "/readyz")); // nobody asked
	stop();
}

TEST(metrics_count_the_rest)
{
	uint64_t n_passes, n_pictures;
	start();
	for (int n = 1; n <= 4097; n *= 16)
		metrics_pass(metrics, n + 1);
	struct route_account account = { .rejection = ROUTE_NO_BUFFER };
	for (int seen = 0; seen < ROUTE_N_SEEN; seen++)
		account.seen[seen] = seen + 1;
	metrics_request(metrics, &routes[0], 503, 1000, &account);
	metrics_connection(metrics, true);
	metrics_connection(metrics, true);
	metrics_connection(metrics, false);
	metrics_unanswered(metrics);
	metrics_passes(metrics, &n_passes, &n_pictures);
	CHECK(n_passes == 4 && n_pictures == 2 + 17 + 257 + 4097);
	write_all();
	HAS("lenet_batch_size_bucket{le=\"1\"} 0");
	HAS("lenet_batch_size_bucket{le=\"2\"} 1");
	HAS("lenet_batch_size_bucket{le=\"32\"} 2");
	HAS("lenet_batch_size_bucket{le=\"4096\"} 3");
	HAS("lenet_batch_size_count 4");
	HAS("lenet_predictions_total{digit=\"0\"} 1");
	HAS("lenet_predictions_total{digit=\"9\"} 10");
	HAS("lenet_predictions_total{digit=\"refused\"} 65");
	HAS("lenet_predictions_total{digit=\"unreadable\"} 16");
	HAS("lenet_refused_total{reason=\"blank\"} 11");
	HAS("lenet_refused_total{reason=\"no_digit\"} 12");
	HAS("lenet_refused_total{reason=\"several_digits\"} 13");
	HAS("lenet_refused_total{reason=\"too_small\"} 14");
	HAS("lenet_refused_total{reason=\"too_blurred\"} 15");
	HAS("lenet_rejections_total{reason=\"no_buffer\"} 1");
	HAS("lenet_rejections_total{reason=\"late\"} 0");
	HAS("lenet_connections_total 2");
	HAS("lenet_connections_open 1");
	HAS("lenet_requests_unanswered_total 1");
	stop();
}

enum { N_THREADS = 80, N_EACH = 200 }; // more threads than have counters of their own

static void *count(void *arg)
{
	const struct route_account account = { 0 };
	(void)arg;
	for (int i = 0; i < N_EACH; i++)
		metrics_request(metrics, &routes[1], 200 + i % 10, 500, &account);
	return NULL;
}

TEST(metrics_add_up_what_all_threads_counted)
{
	pthread_t threads[N_THREADS];
	start();
	for (int i = 0; i < N_THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, count, NULL) == 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	write_all();
	HAS("lenet_request_duration_seconds_count{route=\"/readyz\",method=\"GET\"} 16000");
	HAS("lenet_requests_total{route=\"/readyz\",method=\"GET\",code=\"200\"} 1600");
	HAS("lenet_requests_total{route=\"/readyz\",method=\"GET\",code=\"209\"} 1600");
	stop();
}

// The line of a metric without labels; the caller's to free.
static char *line_of(const char *name)
{
	struct text t = { 0 };
	size_t n;
	process_metrics_write(1700000000, &t);
	char *all = text_take(&t, &n), *line = NULL;
	for (char *l = all; l && !line; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL)
		if (strncmp(l, name, strlen(name)) == 0)
			line = strndup(l, strcspn(l, "\n"));
	free(all);
	return line;
}

TEST(process_reports_itself)
{
	char *start = line_of("process_start_time_seconds "), *memory = line_of("process_resident_memory_bytes ");
	CHECK(start && strcmp(strchr(start, ' '), " 1700000000") == 0);
	CHECK(memory && strtod(strchr(memory, ' '), NULL) > 1e5);
	free(start);
	free(memory);
}
