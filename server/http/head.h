// head: the form of a request's head: its host, the length of its body, and whether it is ambiguous. If a proxy and the daemon read
// a head differently, one of them may take a part of a body for the next request (request smuggling, RFC 9112 section 11.2), so
// ambiguous heads are refused. Knows no sockets. A head belongs to its request.
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAD_MAX_AUTHORITY = 264 };

// Borrowed strings.
struct head {
	const char *path; // of the URL, without its scheme and authority
	const char *host; // the URL's authority if it has one, else the header Host; NULL: neither
	const char *expect, *content_encoding; // NULL: missing
	bool chunked;
	uint64_t n_body; // by Content-Length; 0 without it

	bool has_nul; // the URL has a %00; set by the caller after head_begin
	bool is_absolute;
	int n_hosts, n_lengths, n_codings;
	bool bad_authority, bad_name;
};

// url: a path, or scheme, authority and path. authority: memory for the authority.
void head_begin(struct head *head, const char *url, char authority[HEAD_MAX_AUTHORITY]);

// Call for each header, in their order. n_name: bytes of the name.
void head_add(struct head *head, const char *name, size_t n_name, const char *value);

// 0, or the status to refuse it with and e for the sender. It is not known then where a body ends, so the connection must be closed.
int head_check(const struct head *head, bool is_http_1_0, struct err *e);
