// The access log's lines, and what becomes of them when the reader is quick, slow or gone.
#include "server/observe/access_log.h"

#include "core/log.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct request_record request_record_of_a_prediction(void)
{
	struct request_record record = { .took_ns = 1234567,
					 .status = 200,
					 .n_in = 404,
					 .n_out = 251,
					 .id = "an-id",
					 .trace_id = "0af7651916cd43dd8448eb211c80319c",
					 .method = "POST",
					 .path = "/predict" };
	strcpy(record.account.model, "relu");
	record.account.n_pictures = 2;
	route_account_add(&record.account, ROUTE_DECODE, 86000);
	route_account_add(&record.account, ROUTE_COMPUTE, 27000);
	return record;
}

static const struct timespec at = { 1700000000, 7999999 };

TEST(access_log_formats_text)
{
	struct request_record record = request_record_of_a_prediction();
	char line[ACCESS_LOG_MAX_LINE];
	int n = access_log_format(ACCESS_LOG_TEXT, &record, "::1", &at, line);
	CHECK_MSG(strcmp(line, "2023-11-14T22:13:20.007Z ::1 POST /predict 200 in=404 out=251 ms=1.235 decode=0.086 compute=0.027 "
			       "model=relu pictures=2 id=an-id trace=0af7651916cd43dd8448eb211c80319c\n") == 0,
		  "%s", line);
	CHECK(n == (int)strlen(line));
	record.account.seen[7] = record.account.seen[ROUTE_UNREADABLE] = 1;
	record.account.seen[ROUTE_BLANK] = 2;
	record.account.seen[ROUTE_TOO_SMALL] = 3;
	access_log_format(ACCESS_LOG_TEXT, &record, "::1", &at, line);
	CHECK_MSG(strstr(line, " pictures=2 refused=blank:2,too_small:3 unreadable=1 id=an-id "), "%s", line);
	record = (struct request_record){ .id = "b", .method = "GET", .path = "/" }; // its client left
	access_log_format(ACCESS_LOG_TEXT, &record, "-", &at, line);
	CHECK_MSG(strcmp(line, "2023-11-14T22:13:20.007Z - GET / - in=0 out=0 id=b\n") == 0, "%s", line);
}

TEST(access_log_formats_json)
{
	struct request_record record = request_record_of_a_prediction();
	char line[ACCESS_LOG_MAX_LINE];
	record.account.seen[ROUTE_NO_DIGIT] = 4;
	record.account.seen[ROUTE_TOO_BLURRED] = 5;
	access_log_format(ACCESS_LOG_JSON, &record, "127.0.0.1", &at, line);
	cJSON *json = cJSON_Parse(line);
	CHECK(json && strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(json, "client")), "127.0.0.1") == 0);
	CHECK(cJSON_GetNumberValue(cJSON_GetObjectItem(json, "duration_ms")) == 1.235);
	CHECK(cJSON_GetNumberValue(cJSON_GetObjectItem(json, "decode_ms")) == 0.086 && !cJSON_HasObjectItem(json, "queue_ms"));
	CHECK(strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(json, "trace_id")), record.trace_id) == 0);
	const cJSON *refused = cJSON_GetObjectItem(json, "refused");
	CHECK(cJSON_GetArraySize(refused) == 2 && cJSON_GetNumberValue(cJSON_GetObjectItem(refused, "no_digit")) == 4);
	CHECK(cJSON_GetNumberValue(cJSON_GetObjectItem(refused, "too_blurred")) == 5 && !cJSON_HasObjectItem(json, "unreadable"));
	cJSON_Delete(json);
	record = (struct request_record){ .id = "b", .method = "GET", .path = "/" };
	access_log_format(ACCESS_LOG_JSON, &record, "-", &at, line);
	json = cJSON_Parse(line);
	CHECK(json && cJSON_IsNull(cJSON_GetObjectItem(json, "status")) && !cJSON_HasObjectItem(json, "model"));
	cJSON_Delete(json);
}

TEST(access_log_lines_have_room_for_the_longest)
{
	struct request_record record = { .took_ns = INT64_MAX, .status = 503, .n_in = UINT64_MAX, .n_out = UINT64_MAX };
	char line[ACCESS_LOG_MAX_LINE], client[ACCESS_LOG_MAX_CLIENT];
	memset(record.id, 'i', REQUEST_ID_MAX);
	memset(record.trace_id, 'a', REQUEST_ID_HEX);
	memset(record.method, 'M', REQUEST_RECORD_MAX_METHOD - 1);
	memset(record.path, 'p', REQUEST_RECORD_MAX_PATH - 1);
	memset(record.account.model, 'm', sizeof record.account.model - 1);
	memset(client, 'c', sizeof client - 1);
	client[sizeof client - 1] = 0;
	record.account.n_pictures = INT_MAX;
	for (int seen = 0; seen < ROUTE_N_SEEN; seen++)
		record.account.seen[seen] = INT_MAX;
	for (int stage = 0; stage < ROUTE_N_STAGES; stage++)
		route_account_add(&record.account, stage, INT64_MAX);
	access_log_format(ACCESS_LOG_TEXT, &record, client, &at, line);
	int n = access_log_format(ACCESS_LOG_JSON, &record, client, &at, line);
	CHECK(n < ACCESS_LOG_MAX_LINE && line[n - 1] == '\n');
}

struct reader {
	int fd;
	size_t n, capacity;
	char *bytes;
	int n_torn; // writes that did not end with a line
};

static void *read_all(void *arg)
{
	struct reader *r = arg;
	ssize_t n;
	while ((n = read(r->fd, r->bytes + r->n, r->capacity - r->n)) > 0) {
		r->n += (size_t)n;
		r->n_torn += r->bytes[r->n - 1] != '\n';
	}
	return NULL;
}

enum { N_WRITERS = 4, N_LINES = 150 }; // together less than a buffer
static struct access_log *access_log;

static void *write_some(void *arg)
{
	const struct sockaddr_in client = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct request_record record = request_record_of_a_prediction();
	record.status = 200 + *(int *)arg;
	for (int i = 0; i < N_LINES; i++) {
		record.n_in = (uint64_t)i;
		access_log_write(access_log, &record, (const struct sockaddr *)&client);
	}
	return NULL;
}

// The pipe keeps writes apart (pipe(2), O_DIRECT), so that it shows whether each ends with a line.
TEST(access_log_lines_arrive_whole_and_in_order)
{
	int fds[2], writers[N_WRITERS], next[N_WRITERS] = { 0 };
	pthread_t threads[N_WRITERS], reading;
	struct err e;
	CHECK(pipe2(fds, O_DIRECT) == 0);
	struct reader r = { .fd = fds[0], .capacity = 1 << 20, .bytes = malloc(1 << 20) };
	CHECK(access_log_open(ACCESS_LOG_JSON, fds[1], &access_log, &e) == 0);
	pthread_create(&reading, NULL, read_all, &r);
	for (int i = 0; i < N_WRITERS; i++) {
		writers[i] = i;
		pthread_create(&threads[i], NULL, write_some, &writers[i]);
	}
	for (int i = 0; i < N_WRITERS; i++)
		pthread_join(threads[i], NULL);
	CHECK(access_log_dropped(access_log) == 0);
	access_log_close(access_log);
	close(fds[1]);
	pthread_join(reading, NULL);
	close(fds[0]);

	int n_lines = 0;
	for (char *line = r.bytes, *end; (end = memchr(line, '\n', (size_t)(r.bytes + r.n - line))); line = end + 1, n_lines++) {
		cJSON *json = cJSON_ParseWithLength(line, (size_t)(end - line));
		CHECK_MSG(json != NULL, "torn: %.*s", (int)(end - line), line);
		int writer = (int)cJSON_GetNumberValue(cJSON_GetObjectItem(json, "status")) - 200;
		int i = (int)cJSON_GetNumberValue(cJSON_GetObjectItem(json, "bytes_in"));
		CHECK(writer >= 0 && writer < N_WRITERS && i == next[writer]);
		next[writer] = i + 1;
		cJSON_Delete(json);
	}
	CHECK_MSG(n_lines == N_WRITERS * N_LINES, "%d lines", n_lines);
	CHECK(r.n_torn == 0);
	free(r.bytes);
}

// Nobody reads: more lines than the pipe and both buffers hold are dropped, nobody waits, and the close gives up.
TEST(access_log_drops_lines_rather_than_wait)
{
	int fds[2];
	struct err e;
	struct request_record record = request_record_of_a_prediction();
	CHECK(pipe(fds) == 0);
	log_set_level(LOG_ERROR);
	CHECK(access_log_open(ACCESS_LOG_JSON, fds[1], &access_log, &e) == 0);
	for (int i = 0; i < 10000; i++)
		access_log_write(access_log, &record, NULL);
	CHECK(access_log_dropped(access_log) > 0);
	access_log_close(access_log);
	close(fds[0]);
	close(fds[1]);
	log_set_level(LOG_INFO);
}

TEST(access_log_lives_on_without_a_reader)
{
	int fds[2];
	struct err e;
	struct request_record record = request_record_of_a_prediction();
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	CHECK(pipe(fds) == 0);
	close(fds[0]);
	log_set_level(LOG_ERROR);
	CHECK(access_log_open(ACCESS_LOG_TEXT, fds[1], &access_log, &e) == 0);
	for (int i = 0; i < 100; i++)
		access_log_write(access_log, &record, NULL);
	access_log_close(access_log);
	close(fds[1]);
	log_set_level(LOG_INFO);
	signal(SIGPIPE, before);
}
