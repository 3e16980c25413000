// request_record: what is told of a request beside its answer: its id, its times and sizes. Metrics, some headers of the answer
// and a line of the access log are made of it. A record belongs to its request.
#pragma once

#include "server/base/route.h"
#include "server/observe/request_id.h"

#include <stdbool.h>
#include <stdint.h>

enum { REQUEST_RECORD_MAX_METHOD = 16, REQUEST_RECORD_MAX_PATH = 256, REQUEST_RECORD_MAX_TIMING = 128 };

struct request_record {
	int64_t began_ns, took_ns; // until the answer was handed over
	int status; // 0: no answer yet
	uint64_t n_in, n_out; // bytes of the bodies
	char id[REQUEST_ID_MAX + 1];
	struct route_account account;

	// For the access log; "" without one.
	char trace_id[REQUEST_ID_HEX + 1];
	char method[REQUEST_RECORD_MAX_METHOD], path[REQUEST_RECORD_MAX_PATH]; // as request_record_encode writes them
};

// A request begins. logged: it will be in the access log. Of its URL the path alone is taken: a query may hold secrets.
void request_record_begin(struct request_record *r, const struct route_request *request, const char *method, const char *path,
			  bool logged);

// It has its answer.
void request_record_answer(struct request_record *r, const struct route_response *response);

// The value of a Server-Timing header (https://www.w3.org/TR/server-timing/), in milliseconds. False: there is nothing to say.
bool request_record_server_timing(const struct route_account *account, char timing[REQUEST_RECORD_MAX_TIMING]);

// s as a URL has it: what is not printable ASCII, and quotes, backslash and %, as %XX. Cut to n - 1 bytes, then with "..." at its end.
void request_record_encode(const char *s, char *encoded, size_t n);

extern const char *const request_record_stages[ROUTE_N_STAGES];
