// The assembler includes the files; the Makefile rebuilds this object when one of them changes. An ETag is a hash of the file's bytes, so
// a browser that has the current file gets 304.
#include "core/bytes.h"
#include "core/embed.h"
#include "server/routes/routes.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

EMBED(page_index, "web/index.html")
EMBED(page_script, "web/app.js")
EMBED(page_style, "web/style.css")
EMBED(page_icon, "web/icon.svg")
EMBED(page_openapi, "docs/openapi.json")

enum { INDEX, SCRIPT, STYLE, ICON, OPENAPI };

static struct file {
	const char *type;
	const unsigned char *begin, *end;
	char etag[2 + 32 + 1];
} files[] = {
	[INDEX] = { .type = "text/html; charset=utf-8", .begin = page_index_begin, .end = page_index_end },
	[SCRIPT] = { .type = "text/javascript; charset=utf-8", .begin = page_script_begin, .end = page_script_end },
	[STYLE] = { .type = "text/css; charset=utf-8", .begin = page_style_begin, .end = page_style_end },
	[ICON] = { .type = "image/svg+xml", .begin = page_icon_begin, .end = page_icon_end },
	[OPENAPI] = { .type = "application/json", .begin = page_openapi_begin, .end = page_openapi_end },
};

static void set_etags(void)
{
	for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
		char *tag = files[f].etag;
		tag[0] = '"';
		bytes_sha256(files[f].begin, (size_t)(files[f].end - files[f].begin), tag + 1, sizeof files[f].etag - 2);
		tag[sizeof files[f].etag - 2] = '"';
	}
}

// The page loads from and sends to this origin only, and no other page may frame it.
static const struct route_header security[] = {
	{ "Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
				     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
	{ "Referrer-Policy", "no-referrer" },
	{ "X-Frame-Options", "DENY" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
};

static void answer(void *context, const struct route_request *request, struct route_response *response)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)context;
	pthread_once(&once, set_etags);
	const struct file *file = request->route->arg;
	// The header is "*" or a list of tags, weak or not.
	const char *tags = route_header(request, "If-None-Match");
	bool known = tags && (strcmp(tags, "*") == 0 || strstr(tags, file->etag));
	response->status = known ? 304 : 200;
	response->content_type = file->type;
	response->body = (const char *)file->begin;
	response->n_body = (size_t)(file->end - file->begin);
	route_header_add(response, "ETag", file->etag);
	route_header_add(response, "Cache-Control", "no-cache"); // revalidate each time
	for (size_t i = 0; i < sizeof security / sizeof security[0]; i++)
		route_header_add(response, security[i].name, security[i].value);
}

const struct route page_routes[] = {
	{ .path = "/", .method = "GET", .arg = &files[INDEX], .answer = answer },
	{ .path = "/index.html", .method = "GET", .arg = &files[INDEX], .answer = answer },
	{ .path = "/app.js", .method = "GET", .arg = &files[SCRIPT], .answer = answer },
	{ .path = "/style.css", .method = "GET", .arg = &files[STYLE], .answer = answer },
	{ .path = "/icon.svg", .method = "GET", .arg = &files[ICON], .answer = answer },
	{ .path = "/favicon.ico", .method = "GET", .arg = &files[ICON], .answer = answer }, // browsers ask for it on their own
	{ .path = "/openapi.json", .method = "GET", .arg = &files[OPENAPI], .answer = answer },
};
const int page_n_routes = sizeof page_routes / sizeof page_routes[0];
