// deadline: the time limit that a client sets for its request by X-Request-Timeout-Ms, or by X-Envoy-Expected-Rq-Timeout-Ms, which
// Envoy adds: whole milliseconds from the complete request.
#pragma once

#include "core/err.h"
#include "server/base/route.h"

// The limit in ms, at most limit_ms (--deadline-ms); 0: no time is left. -1 and e for the sender if it is no number. Any thread.
int deadline_read(const struct route_request *request, int limit_ms, struct err *e);
