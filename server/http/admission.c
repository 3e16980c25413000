// Public paths are listed here, so a new route needs a key unless it is added to the list.
#include "server/http/admission.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

enum { MAX_NAME = 256 };

bool admission_path_is_public(const char *path)
{
	static const char *const public[] = { "/healthz",  "/readyz",      "/v2/health/live", "/v2/health/ready",
					      "/",         "/index.html",  "/app.js",         "/style.css",
					      "/icon.svg", "/favicon.ico", "/openapi.json" };
	for (size_t i = 0; i < sizeof public / sizeof public[0]; i++)
		if (strcmp(path, public[i]) == 0)
			return true;
	return false;
}

// The entry of `names` that equals `name`, or NULL.
static const char *find(const struct admission_names *names, const char *name)
{
	for (int i = 0; i < names->n; i++)
		if (strcasecmp(names->names[i], name) == 0)
			return names->names[i];
	return NULL;
}

// Reads the name from "name", "name:port", "[v6]" or "[v6]:port" (RFC 9110 section 7.2), without brackets and trailing dot.
static bool read_host(const char *host, char name[MAX_NAME])
{
	bool bracketed = *host == '[';
	host += bracketed;
	size_t n = strcspn(host, bracketed ? "]" : ":");
	const char *rest = host + n + (bracketed && host[n]);
	if (n == 0 || n >= MAX_NAME || (bracketed && !host[n]) || (*rest && *rest != ':') ||
	    (*rest && rest[1 + strspn(rest + 1, "0123456789")]))
		return false;
	memcpy(name, host, n);
	name[n] = 0;
	if (n > 1 && name[n - 1] == '.')
		name[n - 1] = 0;
	return true;
}

static bool is_same_name(const char *a, const char *b)
{
	struct in6_addr v6, other;
	if (inet_pton(AF_INET6, a, &v6) == 1 && inet_pton(AF_INET6, b, &other) == 1)
		return memcmp(&v6, &other, sizeof v6) == 0; // an address can be written in several ways
	return strcasecmp(a, b) == 0;
}

static bool is_named(const struct admission_names *hosts, const char *name)
{
	char named[MAX_NAME];
	for (int i = 0; i < hosts->n; i++)
		if (read_host(hosts->names[i], named) && is_same_name(named, name))
			return true;
	return false;
}

// *loopback is set for an address only.
static bool is_address(const char *name, bool *loopback)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (inet_pton(AF_INET, name, &v4) == 1) {
		*loopback = ntohl(v4.s_addr) >> 24 == 127;
		return true;
	}
	if (inet_pton(AF_INET6, name, &v6) == 1) {
		*loopback = IN6_IS_ADDR_LOOPBACK(&v6);
		return true;
	}
	return false;
}

// RFC 6761 section 6.3: localhost and all names below it mean this machine.
static bool is_localhost(const char *name)
{
	size_t n = strlen(name), n_local = strlen("localhost");
	return n >= n_local && strcasecmp(name + n - n_local, "localhost") == 0 && (n == n_local || name[n - n_local - 1] == '.');
}

// DNS rebinding needs a name, so a daemon that listens beyond loopback accepts every address (a kubelet's probe sends one).
static bool host_is_accepted(const struct admission *admission, const char *host)
{
	char name[MAX_NAME];
	bool loopback;
	if (!admission->loopback && admission->hosts->n == 0)
		return true;
	if (!read_host(host, name))
		return false;
	if (is_address(name, &loopback))
		return loopback || !admission->loopback || is_named(admission->hosts, name);
	return is_localhost(name) || is_named(admission->hosts, name);
}

// The scheme is ignored: a proxy may have ended TLS.
static bool is_same_origin(const char *origin, const char *host)
{
	const char *authority = strstr(origin, "://");
	return authority && host && strcasecmp(authority + 3, host) == 0;
}

// Fetch Metadata: holds behind a proxy that changes Host, too.
static bool browser_says_same(const struct route_request *request)
{
	const char *site = route_header(request, "Sec-Fetch-Site");
	return site && strcmp(site, "same-origin") == 0;
}

// ":port" of "name:port", or "".
static const char *port_of(const char *authority)
{
	return strrchr(authority, ']') ? strrchr(authority, ']') + 1 : authority + strcspn(authority, ":");
}

static void refuse_host(const char *host, struct route_response *response)
{
	int name_length = (int)(port_of(host) - host);
	char name[MAX_NAME];
	if (!read_host(host, name)) {
		route_answer_error(
			response, 400,
			"the Host header \"%.80s\" is not NAME or ADDRESS, with or without :PORT; write IPv6 in brackets, "
			"as in [::1]:8080",
			host);
		return;
	}
	route_reject(response, 403, ROUTE_FORBIDDEN,
		     "the Host header is \"%.80s\", and this daemon accepts only this machine's own names; start it with "
		     "--host %.*s if that name is right",
		     host, name_length < 80 ? name_length : 80, host);
}

static void refuse_origin(const char *origin, struct route_response *response)
{
	route_reject(
		response, 403, ROUTE_FORBIDDEN,
		"pages of \"%.80s\" may not ask this daemon; to allow it, start the daemon with --cors-origin %.80s, and behind a "
		"proxy have that pass the Host header on",
		origin, origin);
}

// RFC 6750 section 3.
static bool has_key(const struct admission *admission, const struct route_request *request, struct route_response *response)
{
	const char *authorization = route_header(request, "Authorization"), *key = route_header(request, "X-API-Key");
	if (!key && authorization && strncasecmp(authorization, "Bearer ", 7) == 0)
		key = authorization + 7 + strspn(authorization + 7, " ");
	if (key && keys_know(admission->keys, key))
		return true;
	if (key)
		route_reject(response, 401, ROUTE_NO_KEY, "this API key is not known; ask the daemon's operator for one");
	else
		route_reject(response, 401, ROUTE_NO_KEY,
			     "an API key is needed: send \"Authorization: Bearer KEY\" or \"X-API-Key: KEY\"");
	route_header_add(response, "WWW-Authenticate",
			 key ? "Bearer realm=\"lenetd\", error=\"invalid_token\"" : "Bearer realm=\"lenetd\"");
	return false;
}

// Fetch Standard, "CORS protocol": what a page of an accepted origin may send.
static void answer_preflight(struct route_response *response)
{
	response->status = 204;
	response->content_type = "text/plain";
	response->body = "";
	route_header_add(response, "Access-Control-Allow-Methods", "GET, HEAD, POST");
	route_header_add(
		response, "Access-Control-Allow-Headers",
		"Authorization, Content-Type, Inference-Header-Content-Length, Traceparent, Tracestate, X-API-Key, X-Request-Id, "
		"X-Request-Timeout-Ms");
	route_header_add(response, "Access-Control-Max-Age", "600");
}

// Checks a request of a page, or the browser's preflight for one.
static bool check_origin(const struct admission *admission, const char *origin, const char *method,
			 const struct route_request *request, struct route_response *response)
{
	const char *named = find(admission->origins, "*");
	if (!named)
		named = find(admission->origins, origin);
	if (named) {
		route_header_add(response, "Access-Control-Allow-Origin", named);
		route_header_add(response, "Access-Control-Expose-Headers",
				 "Inference-Header-Content-Length, Retry-After, Server-Timing, X-Request-Id");
		if (strcmp(method, "OPTIONS") == 0 && route_header(request, "Access-Control-Request-Method")) {
			answer_preflight(response);
			return false;
		}
	} else if (!is_same_origin(origin, route_header(request, "Host")) && !browser_says_same(request)) {
		refuse_origin(origin, response);
		return false;
	}
	return true;
}

bool admission_check(const struct admission *admission, const char *method, const char *path, const struct route_request *request,
		     struct route_response *response)
{
	const char *host = route_header(request, "Host"), *origin = route_header(request, "Origin");
	if (admission->origins->n)
		route_header_add(response, "Vary", "Origin");
	if (host && !host_is_accepted(admission, host)) { // HTTP/1.0 may lack it, and browsers do not use that
		refuse_host(host, response);
		return false;
	}
	if (origin && !check_origin(admission, origin, method, request, response))
		return false;
	return !admission->keys || admission_path_is_public(path) || has_key(admission, request, response);
}

int admission_check_host(const char *host, struct err *e)
{
	char name[MAX_NAME];
	struct in6_addr v6;
	bool is_good = read_host(host, name);
	if (*host == '[')
		is_good = is_good && host[strlen(host) - 1] == ']' && inet_pton(AF_INET6, name, &v6) == 1;
	else
		is_good = is_good && strcasecmp(name, host) == 0;
	if (!is_good)
		return err_set(e,
			       "\"%.60s\" is not accepted: give a name or an address without a port, as in lenet.example.com or "
			       "[2001:db8::1]",
			       host);
	return 0;
}

int admission_check_origin(const char *origin, struct err *e)
{
	char name[MAX_NAME];
	bool is_http = strncmp(origin, "http://", 7) == 0;
	const char *authority = is_http ? origin + 7 : strncmp(origin, "https://", 8) == 0 ? origin + 8 : NULL;
	if (strcmp(origin, "*") == 0)
		return 0;
	if (!authority || strpbrk(authority, "/@?#*") || !read_host(authority, name))
		return err_set(e, "\"%.60s\" is not accepted: give http://HOST, https://HOST, either with :PORT, or *", origin);
	const char *port = port_of(authority);
	if (*port && (port[1] < '1' || strcmp(port, is_http ? ":80" : ":443") == 0))
		return err_set(e, "\"%.60s\" is not accepted: browsers leave that port out; give %.*s", origin,
			       (int)(port - origin), origin);
	return 0;
}
