// upload: decodes the body of a request into pictures, and finds the candidates of each for its digit. Knows no sockets and no engine.
#pragma once

#include "core/err.h"
#include "core/picture/candidates.h"
#include "core/picture/steps.h"
#include "server/base/limits.h"
#include "server/routes/effort.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One picture of the request, or its error.
struct upload_picture {
	int status; // 0: it was read; else the status of a request with this picture alone: 400, 413, 415, 500
	struct err error; // for the sender, if status is not 0
	int n_candidates; // if status is 0; 0: it is blank
	double scale_x, scale_y; // pixels as they were sent to one that was looked at
	struct steps *steps; // how the candidates were found; NULL: not kept
};

struct upload_terms {
	const struct limits *limits;
	enum effort effort;
	int64_t deadline_ns; // by clock_now_ns; 0: none
	const atomic_bool *gone; // stops as the deadline does when it becomes true; or NULL
	int n_steps; // keep how so many pictures were read, the first ones
};

// Zero-initialise; upload_free frees what it holds.
struct upload {
	int n; // pictures in the request, in order
	struct upload_picture *pictures; // [n]
	int n_candidates; // of all pictures that were read, in order
	uint8_t *pixels; // (n_candidates, 28, 28)
	struct candidate *candidates; // [n_candidates]
	const struct upload_terms *terms; // borrowed, during upload_read
	int capacity, candidates_capacity;
	int64_t cpu_until_ns; // by clock_cpu_ns, under EFFORT_SMALL; 0: not begun
	uint64_t n_decoded; // pixels of all pictures that are larger than a digit
};

void upload_free(struct upload *upload);

// body: n bytes and a 0 behind them: a PNG, JPEG or WebP, multipart (parts that are one of these, or files), or JSON:
// {"images": ["<base64>", …]} or {"pixels": [[784 numbers 0..255], …]}. A picture is recognised whatever content_type says, and so is JSON
// under the types that curl sends by itself. max_pixels bounds each picture and all together, since decoding costs the most; those of
// 28×28 do not count. Returns 0 and at least one picture, read or not; or 400, 413, 415, 500, or 503 after the deadline, and e for the
// sender; or EFFORT_COSTLY or EFFORT_OVERRAN.
int upload_read(const char *content_type, const char *body, size_t n, const struct upload_terms *terms, struct upload *upload,
		struct err *e);

// An upper estimate of the memory in bytes that EFFORT_WHOLE takes for a body, beside the body: that of the JSON, and of the one picture
// that needs most, since they are decoded one after another. Pictures within JSON count as the largest that the limits allow.
uint64_t upload_memory(const char *content_type, const char *body, size_t n, const struct limits *limits);
