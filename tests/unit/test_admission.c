#include "server/http/admission.h"

#include "server/routes/routes.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

// Headers as "Name: value\nName: value".
static const char *find_header(const void *headers, const char *name)
{
	static char values[8][200];
	static int next;
	for (const char *line = headers; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		size_t n = strlen(name);
		if (strncasecmp(line, name, n) == 0 && strncmp(line + n, ": ", 2) == 0) {
			char *value = values[next++ % 8];
			snprintf(value, sizeof values[0], "%.*s", (int)strcspn(line + n + 2, "\n"), line + n + 2);
			return value;
		}
	}
	return NULL;
}

static struct route_response response;
static char said[700]; // its body

// 200 if the request may go on, else the status that it is refused with.
static int ask(const struct admission *admission, const char *method, const char *path, const char *headers)
{
	const struct route_request request = { .find_header = find_header, .headers = headers };
	response = (struct route_response){ 0 };
	bool admitted = admission_check(admission, method, path, &request, &response);
	snprintf(said, sizeof said, "%.*s", (int)response.n_body, response.n_body ? response.body : "");
	free(response.owned);
	CHECK(admitted == (response.status == 0));
	return admitted ? 200 : response.status;
}

static const char *given(const char *name)
{
	for (int i = 0; i < response.n_headers; i++)
		if (strcmp(response.headers[i].name, name) == 0)
			return response.headers[i].value;
	return "";
}

static const struct admission_names none;

TEST(admission_knows_its_hosts)
{
	static const struct admission_names named = { { "lenet.example.com", "[2001:DB8:0::9]" }, 2 };
	static const struct {
		const char *host;
		int loopback, loopback_named, open_named; // bound to loopback, the same with a name, elsewhere with a name
	} cases[] = {
		{ "127.0.0.1:8080", 200, 200, 200 },
		{ "127.1.2.3", 200, 200, 200 },
		{ "[::1]:8080", 200, 200, 200 },
		{ "[::1]", 200, 200, 200 },
		{ "localhost", 200, 200, 200 },
		{ "LocalHost.:80", 200, 200, 200 },
		{ "a.localhost", 200, 200, 200 },
		{ "xlocalhost", 403, 403, 403 },
		{ "localhost.evil.example", 403, 403, 403 },
		{ "evil.example", 403, 403, 403 },
		{ "lenet.example.com", 403, 200, 200 },
		{ "Lenet.Example.com:443", 403, 200, 200 },
		{ "192.0.2.7", 403, 403, 200 },
		{ "[2001:db8::7]:80", 403, 403, 200 },
		{ "x.lenet.example.com", 403, 403, 403 },
		{ "[2001:db8::9]:80", 403, 200, 200 },
		{ "", 400, 400, 400 },
		{ ":80", 400, 400, 400 },
		{ "[::1", 400, 400, 400 },
		{ "[::1]x", 400, 400, 400 },
		{ "localhost:x", 400, 400, 400 },
		{ "localhost:80:80", 400, 400, 400 },
		{ "evil.example@localhost", 403, 403, 403 },
	};
	const struct admission loopback = { &none, &none, true, NULL }, loopback_named = { &named, &none, true, NULL },
			       open = { &none, &none, false, NULL }, open_named = { &named, &none, false, NULL };
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char headers[200];
		snprintf(headers, sizeof headers, "Host: %s", cases[i].host);
		CHECK_MSG(ask(&loopback, "GET", "/", headers) == cases[i].loopback, "loopback, %s", headers);
		CHECK_MSG(ask(&loopback_named, "GET", "/", headers) == cases[i].loopback_named, "loopback with a name, %s",
			  headers);
		CHECK_MSG(ask(&open_named, "GET", "/", headers) == cases[i].open_named, "with a name, %s", headers);
		CHECK_MSG(ask(&open, "GET", "/", headers) == 200, "%s", headers);
	}
	CHECK(ask(&loopback, "GET", "/", "") == 200);
	CHECK(ask(&loopback, "GET", "/", "Host: evil.example:81") == 403 && strstr(said, "--host evil.example if"));
	CHECK(ask(&loopback, "GET", "/", "Host: [2001:db8::9]:81") == 403 && strstr(said, "--host [2001:db8::9] if"));
	char longest[400] = "Host: ";
	memset(longest + 6, 'a', 300);
	CHECK(ask(&loopback, "GET", "/", longest) == 403);
	CHECK(ask(&loopback, "GET", "/", "Host: ::1:8080") == 400 && strstr(said, "brackets"));
}

TEST(admission_know_their_pages)
{
	static const struct admission_names origins = { { "https://a.example", "http://b.example:81" }, 2 }, all = { { "*" }, 1 };
	static const struct {
		const char *headers;
		int without, with;
		const char *allowed;
	} cases[] = {
		{ "Host: localhost:80", 200, 200, "" },
		{ "Host: localhost:80\nOrigin: http://localhost:80", 200, 200, "" },
		{ "Host: localhost:80\nOrigin: http://localhost", 403, 403, "" },
		{ "Host: localhost\nOrigin: null", 403, 403, "" },
		{ "Host: localhost\nOrigin: localhost", 403, 403, "" },
		{ "Host: localhost\nOrigin: https://A.example", 403, 200, "https://a.example" },
		{ "Host: localhost\nOrigin: http://b.example:81", 403, 200, "http://b.example:81" },
		{ "Host: localhost\nOrigin: http://b.example", 403, 403, "" },
		{ "Host: localhost\nOrigin: https://a.example.evil.example", 403, 403, "" },
		{ "Host: localhost\nOrigin: https://c.example\nSec-Fetch-Site: same-origin", 200, 200, "" },
		{ "Host: localhost\nOrigin: https://c.example\nSec-Fetch-Site: same-site", 403, 403, "" },
		{ "Host: evil.example\nOrigin: http://evil.example\nSec-Fetch-Site: same-origin", 403, 403, "" },
		{ "Origin: https://c.example", 403, 403, "" },
	};
	const struct admission without = { &none, &none, true, NULL }, with = { &none, &origins, true, NULL },
			       with_all = { &none, &all, true, NULL };
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CHECK_MSG(ask(&without, "POST", "/predict", cases[i].headers) == cases[i].without, "%s", cases[i].headers);
		CHECK(response.status || response.n_headers == 0);
		CHECK_MSG(ask(&with, "POST", "/predict", cases[i].headers) == cases[i].with, "%s", cases[i].headers);
		CHECK_MSG(strcmp(given("Access-Control-Allow-Origin"), cases[i].allowed) == 0, "%s", cases[i].headers);
		CHECK(strcmp(given("Vary"), "Origin") == 0);
	}
	CHECK(ask(&with_all, "POST", "/predict", "Host: localhost\nOrigin: https://c.example") == 200);
	CHECK(strcmp(given("Access-Control-Allow-Origin"), "*") == 0);

	CHECK(strstr(given("Access-Control-Expose-Headers"), "X-Request-Id"));
	CHECK(!strstr(given("Access-Control-Expose-Headers"), "Traceparent")); // no answer has one

	const char *asked = "Host: localhost\nOrigin: https://a.example\nAccess-Control-Request-Method: POST";
	CHECK(ask(&with, "OPTIONS", "/predict", asked) == 204);
	CHECK(strstr(given("Access-Control-Allow-Headers"), "Authorization"));
	CHECK(ask(&without, "OPTIONS", "/predict", asked) == 403);
	CHECK(ask(&with, "POST", "/predict", asked) == 200);
	CHECK(ask(&with, "OPTIONS", "/predict", "Host: localhost\nOrigin: https://a.example") == 200); // the route says 405
}

TEST(admission_want_keys)
{
	char path[] = "/tmp/lenet-keys-XXXXXX";
	int fd = mkstemp(path);
	static const char text[] = "0123456789abcdef\n";
	struct keys *keys;
	struct err e;
	CHECK(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1);
	CHECK_MSG(keys_open(path, &keys, &e) == 0, "%s", e.msg);
	static const struct admission_names origins = { { "https://a.example" }, 1 };
	const struct admission admission = { &none, &origins, true, keys };
	CHECK(ask(&admission, "POST", "/predict", "") == 401);
	CHECK(strcmp(given("WWW-Authenticate"), "Bearer realm=\"lenetd\"") == 0);
	CHECK(ask(&admission, "POST", "/predict", "X-API-Key: 0123456789abcdef") == 200);
	CHECK(ask(&admission, "POST", "/predict", "Authorization: Bearer 0123456789abcdef") == 200);
	CHECK(ask(&admission, "POST", "/predict", "Authorization: Bearer 0123456789abcdeg") == 401);
	CHECK(ask(&admission, "POST", "/predict", "Authorization: Basic 0123456789abcdef") == 401);
	CHECK(ask(&admission, "GET", "/metrics", "") == 401 && ask(&admission, "GET", "/nothing", "") == 401);
	CHECK(ask(&admission, "GET", "/healthz", "Host: evil.example") == 403); // a key is no way around
	CHECK(ask(&admission, "POST", "/predict", "Origin: https://a.example") == 401);
	CHECK(strcmp(given("Access-Control-Allow-Origin"), "https://a.example") == 0); // so that the page can read why
	CHECK(ask(&admission, "OPTIONS", "/predict", "Origin: https://a.example\nAccess-Control-Request-Method: POST") == 204);
	keys_close(keys);
	close(fd);
	unlink(path);
}

TEST(admission_probes_and_page_are_open)
{
	for (int i = 0; i < page_n_routes; i++)
		CHECK_MSG(admission_path_is_public(page_routes[i].path), "%s", page_routes[i].path);
	CHECK(admission_path_is_public("/healthz") && admission_path_is_public("/readyz") &&
	      admission_path_is_public("/v2/health/ready"));
	CHECK(!admission_path_is_public("/predict") && !admission_path_is_public("/v2/repository/models/m/load") &&
	      !admission_path_is_public("/healthz/x"));
}

TEST(admission_check_names)
{
	struct err e;
	static const char *const good[] = { "http://a",     "https://a.example:8443", "http://[::1]:8080",
					    "http://a:443", "https://a:80",           "*" };
	static const struct {
		const char *origin, *instead;
	} portless[] = {
		{ "https://a.example:443", "give https://a.example" },
		{ "http://[::1]:80", "give http://[::1]" },
		{ "http://a:", "give http://a" },
		{ "http://a:080", "give http://a" },
	};
	static const char *const good_hosts[] = { "lenet.example.com", "192.0.2.7", "[::1]", "[2001:DB8:0::7]" };
	static const char *const bad_hosts[] = { "a:80", "", "[::1]:80", "::1", "[a]", "[]", "[::1", "[::1]x" };
	static const char *const bad[] = { "",         "a.example", "ftp://a",    "https://", "https://a/", "https://u@a",
					   "http://*", "null",      "https://a:x" };
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		CHECK_MSG(admission_check_origin(good[i], &e) == 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK_MSG(admission_check_origin(bad[i], &e) == -1, "%s", bad[i]);
	for (size_t i = 0; i < sizeof portless / sizeof portless[0]; i++) {
		CHECK_MSG(admission_check_origin(portless[i].origin, &e) == -1, "%s", portless[i].origin);
		const char *instead = strstr(e.msg, "give ");
		CHECK_MSG(instead && strcmp(instead, portless[i].instead) == 0, "%s", e.msg);
	}
	for (size_t i = 0; i < sizeof good_hosts / sizeof good_hosts[0]; i++)
		CHECK_MSG(admission_check_host(good_hosts[i], &e) == 0, "%s", e.msg);
	for (size_t i = 0; i < sizeof bad_hosts / sizeof bad_hosts[0]; i++)
		CHECK_MSG(admission_check_host(bad_hosts[i], &e) == -1, "%s", bad_hosts[i]);
}
