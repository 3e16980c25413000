// request_record: a request's id, times and sizes, for the metrics, the answer's headers and the access log. Used by one thread at a
// time.
#pragma once

#include "server/base/route.h"
#include "server/observe/request_id.h"

#include <stdbool.h>
#include <stdint.h>

enum { REQUEST_RECORD_MAX_METHOD = 16, REQUEST_RECORD_MAX_PATH = 256, REQUEST_RECORD_MAX_TIMING = 160 };

struct request_record {
	int64_t began_ns, took_ns; // took_ns: until the answer was ready
	int status; // 0: no answer yet
	uint64_t n_in, n_out; // bytes of the bodies
	char id[REQUEST_ID_MAX + 1];
	struct route_account account;

	// For the access log; "" if there is none.
	char trace_id[REQUEST_ID_HEX + 1];
	char method[REQUEST_RECORD_MAX_METHOD], path[REQUEST_RECORD_MAX_PATH]; // as request_record_encode writes them
};

// Starts the record. logged: fill in the fields for the access log, too. path has no query, since that may hold secrets.
void request_record_begin(struct request_record *r, const struct route_request *request, const char *method, const char *path,
			  bool logged);

// Adds the answer's status, size and time.
void request_record_answer(struct request_record *r, const struct route_response *response);

// Writes the value of a Server-Timing header (https://www.w3.org/TR/server-timing/), in milliseconds. False: no stage was recorded.
bool request_record_server_timing(const struct route_account *account, char timing[REQUEST_RECORD_MAX_TIMING]);

// Writes all but printable ASCII, and quotes, backslash and %, as %XX. Cuts to n - 1 bytes, which then end in "...".
void request_record_encode(const char *s, char *encoded, size_t n);

extern const char *const request_record_stages[ROUTE_N_STAGES];
