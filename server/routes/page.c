// The page, and the description of the interface beside it. The assembler copies the files in; the Makefile knows that this object
// depends on them. An ETag is the hash of a file's bytes, so a browser that has the page asks once and is told 304.

#include "server/routes/page.h"

#include <nettle/sha2.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// Hidden: see core/builtin.c.
#define HIDDEN __attribute__((visibility("hidden")))
#define EMBED(name, path)                                                                                                          \
	__asm__(".section .rodata\n"                                                                                               \
		"page_" #name "_begin: .incbin \"" path "\"\n"                                                                     \
		"page_" #name "_end:\n"                                                                                            \
		".previous\n");                                                                                                    \
	extern const char page_##name##_begin[] HIDDEN, page_##name##_end[] HIDDEN;

EMBED(index, "web/index.html")
EMBED(script, "web/app.js")
EMBED(style, "web/style.css")
EMBED(icon, "web/icon.svg")
EMBED(openapi, "docs/openapi.json")

static struct file {
	const char *type, *begin, *end;
	char etag[2 + 32 + 1];
} files[] = {
	{ .type = "text/html; charset=utf-8", .begin = page_index_begin, .end = page_index_end },
	{ .type = "text/javascript; charset=utf-8", .begin = page_script_begin, .end = page_script_end },
	{ .type = "text/css; charset=utf-8", .begin = page_style_begin, .end = page_style_end },
	{ .type = "image/svg+xml", .begin = page_icon_begin, .end = page_icon_end },
	{ .type = "application/json", .begin = page_openapi_begin, .end = page_openapi_end },
};

static void set_etags(void)
{
	for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
		uint8_t digest[16];
		struct sha256_ctx sha;
		sha256_init(&sha);
		sha256_update(&sha, (size_t)(files[f].end - files[f].begin), (const uint8_t *)files[f].begin);
		sha256_digest(&sha, sizeof digest, digest);
		char *c = files[f].etag;
		*c++ = '"';
		for (size_t i = 0; i < sizeof digest; i++, c += 2)
			snprintf(c, 3, "%02x", digest[i]);
		*c = '"';
	}
}

// Nothing from elsewhere, nothing to elsewhere, in no other page's frame.
static const struct route_header security[] = {
	{ "Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
				     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
	{ "Referrer-Policy", "no-referrer" },
	{ "X-Frame-Options", "DENY" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
};

static void answer(const struct file *file, const struct route_request *request, struct route_response *response)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, set_etags);
	// A list of tags, weak or not: ours is in it or is not. * is any.
	const char *tags = route_header(request, "If-None-Match");
	bool known = tags && (strcmp(tags, "*") == 0 || strstr(tags, file->etag));
	response->status = known ? 304 : 200;
	response->content_type = file->type;
	response->body = file->begin;
	response->n_body = (size_t)(file->end - file->begin);
	route_header_add(response, "ETag", file->etag);
	route_header_add(response, "Cache-Control", "no-cache"); // ask each time, and be told 304
	for (size_t i = 0; i < sizeof security / sizeof security[0]; i++)
		route_header_add(response, security[i].name, security[i].value);
}

#define START(name, index)                                                                                                         \
	static struct route_call *name(void *context, const struct route_request *request, struct route_response *response)        \
	{                                                                                                                          \
		(void)context;                                                                                                     \
		answer(&files[index], request, response);                                                                          \
		return NULL;                                                                                                       \
	}

START(start_index, 0)
START(start_script, 1)
START(start_style, 2)
START(start_icon, 3)
START(start_openapi, 4)

const struct route page_routes[] = {
	{ .path = "/", .method = "GET", .start = start_index },
	{ .path = "/index.html", .method = "GET", .start = start_index },
	{ .path = "/app.js", .method = "GET", .start = start_script },
	{ .path = "/style.css", .method = "GET", .start = start_style },
	{ .path = "/icon.svg", .method = "GET", .start = start_icon },
	{ .path = "/favicon.ico", .method = "GET", .start = start_icon }, // what browsers ask for before they have read the page
	{ .path = "/openapi.json", .method = "GET", .start = start_openapi },
};
const int page_n_routes = sizeof page_routes / sizeof page_routes[0];
