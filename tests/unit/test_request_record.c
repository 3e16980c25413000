// Ids, traces and what is told of a request.
#include "server/observe/observer.h"

#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#define TRACE_HEX "0af7651916cd43dd8448eb211c80319c"

TEST(trace_takes_sane_ids_only)
{
	char longest[REQUEST_ID_MAX + 2] = "";
	memset(longest, 'x', REQUEST_ID_MAX);
	CHECK(request_id_is_valid("a") && request_id_is_valid("req-1/2:3;4=5~!") && request_id_is_valid(longest));
	strcat(longest, "x");
	const char *bad[] = { "", longest, "a b", "a\"", "'a", "a\\", "a\n", "\x7f", "\xc3\xa9", "a\tb" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK_MSG(!request_id_is_valid(bad[i]), "%s is taken", bad[i]);
}

TEST(trace_makes_ids_of_its_own)
{
	char ids[64][REQUEST_ID_HEX + 1];
	for (int i = 0; i < 64; i++) {
		request_id_make(ids[i]);
		CHECK(strlen(ids[i]) == REQUEST_ID_HEX && strspn(ids[i], "0123456789abcdef") == REQUEST_ID_HEX);
		for (int k = 0; k < i; k++)
			CHECK(strcmp(ids[i], ids[k]) != 0);
	}
}

TEST(trace_reads_parents)
{
	static const char *const good[] = {
		"00-" TRACE_HEX "-b7ad6b7169203331-01",
		"00-" TRACE_HEX "-b7ad6b7169203331-ff",
		"cc-" TRACE_HEX "-b7ad6b7169203331-01",
		"01-" TRACE_HEX "-b7ad6b7169203331-01-what-comes-later",
	};
	static const char *const bad[] = {
		"",
		"00",
		"00-" TRACE_HEX "-b7ad6b7169203331-0",
		"00-" TRACE_HEX "-b7ad6b7169203331-01-",
		"00-" TRACE_HEX "-b7ad6b7169203331-011",
		"01-" TRACE_HEX "-b7ad6b7169203331-01.more",
		"ff-" TRACE_HEX "-b7ad6b7169203331-01",
		"0x-" TRACE_HEX "-b7ad6b7169203331-01",
		"00-" TRACE_HEX "-b7ad6b7169203331-0A",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-" TRACE_HEX "-0000000000000000-01",
		"00_" TRACE_HEX "-b7ad6b7169203331-01",
		"00-" TRACE_HEX "_b7ad6b7169203331-01",
		"00-" TRACE_HEX "-b7ad6b7169203331_01",
		" 00-" TRACE_HEX "-b7ad6b7169203331-01",
	};
	char id[REQUEST_ID_HEX + 1];
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		strcpy(id, "untouched");
		CHECK_MSG(request_id_read_traceparent(good[i], id) && strcmp(id, TRACE_HEX) == 0, "%s: %s", good[i], id);
	}
	strcpy(id, "untouched");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK_MSG(!request_id_read_traceparent(bad[i], id) && strcmp(id, "untouched") == 0, "%s is taken", bad[i]);
}

TEST(request_record_encodes_what_clients_send)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "/predict", "/predict" },
		{ "/a b\n\"", "/a%20b%0A%22" },
		{ "'\\%", "%27%5C%25" },
		{ "\xc3\xa9\x7f\x1b[", "%C3%A9%7F%1B[" },
		{ "12345678901234567", "123456789012..." },
		{ "12345678901234\n", "123456789012..." },
		{ "\n\n\n\n\n", "%0A%0A%0A%0A%0A" },
		{ "\n\n\n\n\n\n", "%0A%0A%0A%0A..." },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char encoded[16];
		request_record_encode(cases[i].in, encoded, sizeof encoded);
		CHECK_MSG(strcmp(encoded, cases[i].out) == 0, "%s → %s", cases[i].out, encoded);
	}
}

TEST(request_record_tells_times)
{
	struct route_account account = { 0 };
	char timing[REQUEST_RECORD_MAX_TIMING];
	CHECK(!request_record_server_timing(&account, timing) && !*timing);
	route_account_add(&account, ROUTE_QUEUE, 5999);
	CHECK(request_record_server_timing(&account, timing) && strcmp(timing, "queue;dur=0.005") == 0);
	route_account_add(&account, ROUTE_DECODE, 12345678999);
	route_account_add(&account, ROUTE_COMPUTE, 0);
	request_record_server_timing(&account, timing);
	CHECK_MSG(strcmp(timing, "decode;dur=12345.678, queue;dur=0.005, compute;dur=0.000") == 0, "%s", timing);
	for (int stage = 0; stage < ROUTE_N_STAGES; stage++)
		route_account_add(&account, stage, INT64_MAX);
	CHECK(request_record_server_timing(&account, timing) && strlen(timing) < sizeof timing);
}

static const char *sent_id, *sent_parent;

static const char *find_header(const void *headers, const char *name)
{
	(void)headers;
	return strcmp(name, "X-Request-Id") == 0 ? sent_id : strcmp(name, "traceparent") == 0 ? sent_parent : NULL;
}

TEST(request_record_begins_and_ends)
{
	static const struct route route = { .path = "/predict", .method = "POST" };
	const struct route_table table = { &route, 1, NULL };
	const struct route_request request = { .find_header = find_header };
	struct observer observer;
	struct err e;
	struct request_record record;
	CHECK(observer_open(ACCESS_LOG_OFF, &observer, &e) == 0);
	metrics_set_routes(observer.metrics, &table, 1);
	sent_id = "mine";
	sent_parent = "00-" TRACE_HEX "-b7ad6b7169203331-01";
	request_record_begin(&record, &request, "HEAD", "/a b", true);
	CHECK(strcmp(record.id, "mine") == 0 && strcmp(record.trace_id, TRACE_HEX) == 0 && strcmp(record.path, "/a%20b") == 0);
	const struct route_response response = { .status = 200, .n_body = 5, .account.n_pictures = 3 };
	observer_answer(&observer, &route, &response, &record);
	CHECK(record.status == 200 && record.n_out == 0 && record.account.n_pictures == 3 && record.took_ns >= 0);

	sent_id = "not sane";
	sent_parent = "nonsense";
	request_record_begin(&record, &request, "POST", "/predict", true);
	CHECK(record.status == 0 && record.account.n_pictures == 0 && strlen(record.id) == REQUEST_ID_HEX && !*record.trace_id);
	observer_answer(&observer, &route, &response, &record);
	CHECK(record.n_out == 5);
	const struct route_response unchanged = { .status = 304, .n_body = 5 };
	observer_answer(&observer, &route, &unchanged, &record);
	CHECK(record.n_out == 0);
	request_record_begin(&record, &request, "POST", "/predict", false);
	CHECK(!*record.path && !*record.method);

	struct text t = { 0 };
	size_t n;
	metrics_write(observer.metrics, &t);
	char *text = text_take(&t, &n);
	CHECK(strstr(text, "lenet_requests_total{route=\"/predict\",method=\"POST\",code=\"200\"} 2\n"));
	free(text);
	observer_close(&observer);
}
