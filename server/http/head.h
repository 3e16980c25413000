// head: what a request's head says of its form: whom it is for, how long its body is, and whether it can be believed at all. Where
// two programs may read one head in two ways, the second request of one is a part of the first one's body for the other (RFC 9112
// section 11.2), so whatever is ambiguous is refused. Knows no sockets; a head belongs to its request.
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
	bool has_length, chunked;
	uint64_t n_body; // declared; 0 if not

	bool has_nul; // the URL, as %00; set by who sees it undecoded, after head_begin
	bool is_absolute;
	int n_hosts, n_lengths, n_codings;
	bool bad_authority, bad_name;
};

// url: path, or scheme, authority and path. authority: memory for the latter.
void head_begin(struct head *head, const char *url, char authority[HEAD_MAX_AUTHORITY]);

// Each header, in their order. n_name: bytes of the name.
void head_add(struct head *head, const char *name, size_t n_name, const char *value);

// 0, or the status to refuse it with and e for the sender. Where a body would end is not known then: the connection has to be closed.
// old: HTTP/1.0.
int head_check(const struct head *head, bool old, struct err *e);
