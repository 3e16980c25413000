// trace: by what names a request is known outside: its id (X-Request-Id), and its trace (W3C Trace Context level 1,
// https://www.w3.org/TR/trace-context-1/). Any thread.
#pragma once

#include <stdbool.h>

enum { REQUEST_ID_MAX = 128, REQUEST_ID_HEX = 32 };

// An id that a client sent can be used as it is in headers and logs: 1 to REQUEST_ID_MAX printable ASCII characters, none of them a
// space, a quote or a backslash. Pure.
bool request_id_id_is_sane(const char *id);

// A new one: 16 random bytes in hex. To tell requests apart, not to keep a secret.
void request_id_make_id(char id[REQUEST_ID_HEX + 1]);

// The trace id of a traceparent header. False: it is not valid, and by the specification (section 3.2) is as good as none. Pure.
bool request_id_read_parent(const char *traceparent, char id[REQUEST_ID_HEX + 1]);
