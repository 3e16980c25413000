// The length of a name is compared first: most headers are none of these.
#include "server/http/head.h"

#include <string.h>
#include <strings.h>

static bool is(const char *name, size_t n_name, const char *wanted)
{
	return n_name == strlen(wanted) && strncasecmp(name, wanted, n_name) == 0;
}

// RFC 9112 section 3.2.2: a server accepts absolute URLs, and ignores Host then.
void head_begin(struct head *head, const char *url, char authority[HEAD_MAX_AUTHORITY])
{
	*head = (struct head){ .path = url };
	size_t n_scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
	if (!n_scheme)
		return;
	const char *begin = url + n_scheme;
	size_t n = strcspn(begin, "/");
	head->path = begin[n] ? begin + n : "/";
	head->is_absolute = true;
	head->bad_authority = n == 0 || n >= HEAD_MAX_AUTHORITY || memchr(begin, '@', n);
	if (head->bad_authority)
		return;
	memcpy(authority, begin, n);
	authority[n] = 0;
	head->host = authority;
}

void head_add(struct head *head, const char *name, size_t n_name, const char *value)
{
	// RFC 9112 section 5.1: no space before the colon, which some programs would take for a part of the name.
	if (n_name == 0 || strchr(" \t", name[0]) || strchr(" \t", name[n_name - 1])) {
		head->bad_name = true;
	} else if (is(name, n_name, "Host")) {
		head->n_hosts++;
		if (!head->is_absolute)
			head->host = value;
	} else if (is(name, n_name, "Content-Length")) {
		head->n_lengths++;
		head->n_body = 0;
		for (const char *c = value; *c >= '0' && *c <= '9' && head->n_body < UINT64_MAX / 100; c++)
			head->n_body = head->n_body * 10 + (uint64_t)(*c - '0');
	} else if (is(name, n_name, "Transfer-Encoding")) {
		head->n_codings++;
		head->chunked = strcasecmp(value, "chunked") == 0;
	} else if (is(name, n_name, "Expect")) {
		head->expect = value;
	} else if (is(name, n_name, "Content-Encoding")) {
		head->content_encoding = value;
	}
}

int head_check(const struct head *head, bool is_http_1_0, struct err *e)
{
	if (head->bad_name)
		return err_status(e, 400, "a header's name begins or ends with a space; put the colon right behind the name");
	if (head->bad_authority)
		return err_status(e, 400,
				  "the URL's host is missing, too long or has a user name; ask for http://HOST/PATH, or for /PATH");
	if (head->has_nul)
		return err_status(e, 400, "the URL has a %%00, and programs differ on whether it ends there; leave that out");
	if (head->n_hosts > 1)
		return err_status(e, 400, "there is more than one Host header; send one");
	if (head->n_hosts == 0 && !is_http_1_0)
		return err_status(e, 400, "there is no Host header, which HTTP/1.1 asks for; send one");
	if (head->n_lengths > 1)
		return err_status(e, 400, "there is more than one Content-Length header; send one");
	if (head->n_codings > 0 && head->n_lengths > 0)
		return err_status(e, 400, "Content-Length and Transfer-Encoding exclude each other; send one of them");
	if (head->n_codings > 0 && is_http_1_0)
		return err_status(e, 400, "HTTP/1.0 has no Transfer-Encoding; send a Content-Length");
	if (head->n_codings > 1 || (head->n_codings > 0 && !head->chunked))
		return err_status(e, 501,
				  "the only Transfer-Encoding that is supported is chunked; send that, or a Content-Length");
	return 0;
}
