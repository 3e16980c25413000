// request_id: the ids of a request: its own (X-Request-Id), and that of its trace (W3C Trace Context level 1,
// https://www.w3.org/TR/trace-context-1/). Any thread.
#pragma once

#include <stdbool.h>

enum { REQUEST_ID_MAX = 128, REQUEST_ID_HEX = 32 };

// Whether a client's id can be used in headers and logs as it is: 1 to REQUEST_ID_MAX printable ASCII characters without space, quote
// and backslash. Pure.
bool request_id_is_valid(const char *id);

// A new id: 16 random bytes in hex, unique but not secret.
void request_id_make(char id[REQUEST_ID_HEX + 1]);

// Reads the trace id from a traceparent header. False: it is not valid, so it counts as missing (section 3.2). Pure.
bool request_id_read_traceparent(const char *traceparent, char id[REQUEST_ID_HEX + 1]);
