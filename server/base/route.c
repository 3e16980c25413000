// There are few paths, so the lookup compares them one by one.
#include "server/base/route.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const route_seen_names[ROUTE_N_SEEN] = {
	"0",
	"1",
	"2",
	"3",
	"4",
	"5",
	"6",
	"7",
	"8",
	"9",
	[ROUTE_BLANK] = "blank",
	[ROUTE_NO_DIGIT] = "no_digit",
	[ROUTE_SEVERAL_DIGITS] = "several_digits",
	[ROUTE_TOO_SMALL] = "too_small",
	[ROUTE_TOO_BLURRED] = "too_blurred",
	[ROUTE_UNREADABLE] = "unreadable",
};

static bool method_matches(const char *route, const char *method)
{
	return strcmp(route, method) == 0 || (strcmp(route, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

// Compares both paths part by part.
static bool path_matches(const char *route, const char *path, struct route_parts *parts)
{
	int n_parts = 0;
	for (;;) {
		size_t n_route = strcspn(route, "/"), n_path = strcspn(path, "/");
		if (n_route == 1 && *route == '*') {
			assert(n_parts < ROUTE_MAX_PARTS);
			if (n_path == 0 || n_path >= ROUTE_MAX_PART)
				return false;
			char *part = parts->part[n_parts++];
			memcpy(part, path, n_path);
			part[n_path] = 0;
		} else if (n_route != n_path || memcmp(route, path, n_path) != 0) {
			return false;
		}
		if (!route[n_route] || !path[n_path])
			return route[n_route] == path[n_path];
		route += n_route + 1;
		path += n_path + 1;
	}
}

const struct route *route_find(const struct route_table *tables, int n_tables, const char *method, const char *path, void **context,
			       struct route_parts *parts, struct route_response *response)
{
	const char *allowed = NULL;
	for (int t = 0; t < n_tables; t++)
		for (int r = 0; r < tables[t].n_routes; r++) {
			const struct route *route = &tables[t].routes[r];
			if (!path_matches(route->path, path, parts))
				continue;
			if (method_matches(route->method, method)) {
				*context = tables[t].context;
				return route;
			}
			allowed = strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method;
		}
	if (allowed) {
		route_answer_error(response, 405, "%.20s is not allowed for %s; use %s", method, path, allowed);
		route_header_add(response, "Allow", allowed);
	} else {
		route_answer_error(response, 404,
				   "there is no route %.100s; use / (the page), POST /predict, /healthz, /readyz, /metrics or /v2; "
				   "/openapi.json describes them",
				   path);
	}
	return NULL;
}

struct route_call *route_start(const struct route *route, void *context, struct route_request *request,
			       struct route_response *response)
{
	request->route = route;
	if (route->start)
		return route->start(context, request, response);
	route->answer(context, request, response);
	return NULL;
}

const char *route_header(const struct route_request *request, const char *name)
{
	return request->find_header ? request->find_header(request->headers, name) : NULL;
}

void route_account_add(struct route_account *account, enum route_stage stage, int64_t ns)
{
	account->stages |= 1u << stage;
	account->ns[stage] = ns;
}

void route_header_add(struct route_response *response, const char *name, const char *value)
{
	assert(response->n_headers < ROUTE_MAX_HEADERS);
	response->headers[response->n_headers++] = (struct route_header){ name, value };
}

void route_answer_json(struct route_response *response, int status, struct text *text)
{
	static const char no_memory[] = "{\"error\": \"no memory for an answer; try again later\"}\n";
	size_t n;
	char *body = text_take(text, &n);
	response->status = body ? status : 500;
	response->content_type = "application/json";
	response->body = body ? body : no_memory;
	response->n_body = body ? n : sizeof no_memory - 1;
	response->owned = body;
}

void route_answer_uncached(struct route_response *response, struct text *text)
{
	route_answer_json(response, 200, text);
	route_header_add(response, "Cache-Control", "no-store");
}

static void answer_error(struct route_response *response, int status, const char *format, va_list args)
{
	char message[640];
	struct text t = { 0 };
	vsnprintf(message, sizeof message, format, args);
	text_append(&t, "{\"error\": ");
	text_quote(&t, message);
	text_append(&t, "}\n");
	route_answer_json(response, status, &t);
	route_header_add(response, "Cache-Control", "no-store");
	if (status == 503)
		route_header_add(response, "Retry-After", "1");
}

void route_answer_error(struct route_response *response, int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	answer_error(response, status, format, args);
	va_end(args);
}

void route_reject(struct route_response *response, int status, enum route_rejection reason, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	answer_error(response, status, format, args);
	va_end(args);
	response->account.rejection = reason;
}
