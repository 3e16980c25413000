// multipart: reads a multipart body (RFC 2046 section 5.1, RFC 7578) that is whole in memory. Pure; allocates nothing.
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { MULTIPART_MAX_BOUNDARY = 70 };

// An iterator over the parts of a body, which is borrowed.
struct multipart {
	const char *at, *end;
	char delimiter[4 + MULTIPART_MAX_BOUNDARY + 1]; // "\r\n--boundary"
	size_t n_delimiter;
};

struct multipart_part {
	bool is_file; // its Content-Disposition has a filename
	const void *bytes; // into the body
	size_t n;
};

// Positions before the first part. content_type: the request's header, with a boundary.
int multipart_init(struct multipart *m, const char *content_type, const void *body, size_t n, struct err *e);

// 1 and the next part; 0 after the last one; -1 if the body is malformed or cut off.
int multipart_next(struct multipart *m, struct multipart_part *part, struct err *e);
