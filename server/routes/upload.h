// upload: the body of a request → pictures. Knows no sockets and no engine: bytes, limits, out come 28×28 digits.
#pragma once

#include "core/err.h"
#include "server/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One picture of the request, or why it is none.
struct upload_picture {
	int status; // 200 if it can be used, else what HTTP would say to it alone: 400, 413, 415, 422
	bool refused; // it was read, and has no digit in it; otherwise it could not be read
	struct err error; // for the sender, unless status is 200
};

// Zero-initialise; upload_free frees what it holds.
struct upload {
	int n; // pictures in the request, in order
	struct upload_picture *pictures; // [n]
	int n_usable;
	uint8_t *pixels; // (n_usable, 28, 28): of those with status 200, in order
	int capacity;
	uint64_t n_decoded; // pixels of all PNGs that are larger than a digit
};

void upload_free(struct upload *upload);

// body: n bytes and a 0 behind them. A picture by itself, multipart (each part that is a PNG, and each that is a file), or
// JSON: {"images": ["<base64 PNG>", …]} or {"pixels": [[784 numbers 0..255], …]}. What begins as a PNG does is one,
// whatever content_type says, and what begins with a brace under no type of its own is JSON: that is what curl sends.
// All PNGs together are bounded as one is, max_pixels, since decoding is what takes its time; digits of 28×28 do not count.
// Returns 200 and at least one picture, of which none may be usable; or 400, 413, 415 or 500 and e for the sender.
int upload_read(const char *content_type, const char *body, size_t n, const struct limits *limits, struct upload *upload,
		struct err *e);
