// upload: decodes the body of a request into 28×28 digits. Knows no sockets and no engine.
#pragma once

#include "core/err.h"
#include "server/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One picture of the request, or its error.
struct upload_picture {
	int status; // 0: usable; else what a request with this picture alone would get: 400, 413, 415, 422
	bool refused; // it was read but has no digit; false: it could not be read
	struct err error; // for the sender, if status is not 0
};

// Zero-initialise; upload_free frees what it holds.
struct upload {
	int n; // pictures in the request, in order
	struct upload_picture *pictures; // [n]
	int n_usable;
	uint8_t *pixels; // (n_usable, 28, 28): the usable ones, in order
	int capacity;
	uint64_t n_decoded; // pixels of all PNGs that are larger than a digit
};

void upload_free(struct upload *upload);

// body: n bytes and a 0 behind them: a PNG, multipart (parts that are PNGs or files), or JSON: {"images": ["<base64 PNG>", …]} or
// {"pixels": [[784 numbers 0..255], …]}. A PNG is recognised whatever content_type says, and so is JSON under the types that curl
// sends by itself. max_pixels bounds each PNG and all together, since decoding costs the most; those of 28×28 do not count.
// Returns 0 and at least one picture, usable or not; or 400, 413, 415 or 500 and e for the sender.
int upload_read(const char *content_type, const char *body, size_t n, const struct limits *limits, struct upload *upload,
		struct err *e);
