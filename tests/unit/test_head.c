// Heads that can be read in two ways, and those that cannot.
#include "server/http/head.h"

#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

static char authority[HEAD_MAX_AUTHORITY];
static struct head head;

// headers: "Name:value" each, NULL behind the last. Returns what head_check() does.
static int read_head(const char *url, const char *const *headers, bool old, struct err *e)
{
	head_begin(&head, url, authority);
	for (; *headers; headers++) {
		const char *colon = strchr(*headers, ':');
		head_add(&head, *headers, (size_t)(colon - *headers), colon + 1);
	}
	return head_check(&head, old, e);
}

#define HEADERS(...) ((const char *const[]){ __VA_ARGS__, NULL })

TEST(head_says_whom_and_how_long)
{
	struct err e;
	CHECK(read_head("/predict", HEADERS("host:a:80", "content-length:17", "EXPECT:100-continue"), false, &e) == 0);
	CHECK(strcmp(head.path, "/predict") == 0 && strcmp(head.host, "a:80") == 0 && strcmp(head.expect, "100-continue") == 0);
	CHECK(head.n_lengths && head.n_body == 17 && !head.chunked && !head.content_encoding);
	CHECK(read_head("/",
			HEADERS("Host:a", "Transfer-Encoding:Chunked", "Content-Encoding:gzip", "Hosts:b", "Content-Lengths:3"),
			false, &e) == 0);
	CHECK(!head.n_lengths && head.chunked && head.n_body == 0 && strcmp(head.content_encoding, "gzip") == 0);
	CHECK(read_head("/", HEADERS("Host:a", "Content-Length:99999999999999999999999999"), false, &e) == 0);
	CHECK(head.n_body > UINT64_MAX / 1000);
	CHECK(read_head("/", HEADERS("X:y"), true, &e) == 0 && !head.host && !head.n_lengths);
}

TEST(head_absolute_url_stands_for_host)
{
	static const struct {
		const char *url, *host, *path;
	} cases[] = {
		{ "http://a:8080/healthz", "a:8080", "/healthz" },
		{ "HTTPS://[::1]/a//b", "[::1]", "/a//b" },
		{ "http://a", "a", "/" },
		{ "http:/a", "b", "http:/a" },
		{ "//a/b", "b", "//a/b" },
		{ "*", "b", "*" },
	};
	struct err e;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CHECK(read_head(cases[i].url, HEADERS("Host:b"), false, &e) == 0);
		CHECK_MSG(strcmp(head.host, cases[i].host) == 0 && strcmp(head.path, cases[i].path) == 0, "%s: %s %s", cases[i].url,
			  head.host, head.path);
	}
	char url[HEAD_MAX_AUTHORITY + 16];
	snprintf(url, sizeof url, "http://%0*d/", HEAD_MAX_AUTHORITY - 1, 0);
	CHECK(read_head(url, HEADERS("Host:b"), false, &e) == 0 && strlen(head.host) == HEAD_MAX_AUTHORITY - 1);
	snprintf(url, sizeof url, "http://%0*d/", HEAD_MAX_AUTHORITY, 0);
	CHECK(read_head(url, HEADERS("Host:b"), false, &e) == 400);
	CHECK(read_head("http:///healthz", HEADERS("Host:b"), false, &e) == 400);
	CHECK(read_head("http://user@a/", HEADERS("Host:b"), false, &e) == 400);
}

TEST(head_refuses_what_is_ambiguous)
{
	static const struct {
		const char *headers[4];
		bool old;
		int status;
		const char *word;
	} cases[] = {
		{ { "X:y" }, false, 400, "no Host" },
		{ { "Host:a", "Host:a" }, false, 400, "one Host" },
		{ { "Host:a", "HOST:b" }, true, 400, "one Host" },
		{ { "Host:a", "Content-Length:5", "Content-Length:6" }, false, 400, "one Content-Length" },
		{ { "Host:a", "Content-Length:5", "Transfer-Encoding:chunked" }, false, 400, "exclude" },
		{ { "Host:a", "Transfer-Encoding:gzip", "Content-Length:5" }, false, 400, "exclude" },
		{ { "Host:a", "Transfer-Encoding:chunked" }, true, 400, "HTTP/1.0" },
		{ { "Host:a", "Transfer-Encoding:gzip" }, false, 501, "chunked" },
		{ { "Host:a", "Transfer-Encoding:gzip, chunked" }, false, 501, "chunked" },
		{ { "Host:a", "Transfer-Encoding:gzip", "Transfer-Encoding:chunked" }, false, 501, "chunked" },
		{ { "Host:a", "Transfer-Encoding:" }, false, 501, "chunked" },
		{ { "Host:a", "Content-Length :5" }, false, 400, "space" },
		{ { "Host:a", " Content-Length:5" }, false, 400, "space" },
		{ { "Host:a", "Transfer-Encoding\t:chunked" }, false, 400, "space" },
		{ { "Host:a", ":x" }, false, 400, "name" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct err e = { "" };
		int status = read_head("/", cases[i].headers, cases[i].old, &e);
		CHECK_MSG(status == cases[i].status && strstr(e.msg, cases[i].word), "case %zu: %d, %s", i, status, e.msg);
	}
}
