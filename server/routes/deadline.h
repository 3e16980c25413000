// deadline: reads the deadline that a client sets by the header X-Request-Timeout-Ms, or Envoy by X-Envoy-Expected-Rq-Timeout-Ms: whole
// milliseconds from the complete request.
#pragma once

#include "core/err.h"
#include "server/base/route.h"

// Returns the deadline in ms, at most limit_ms (--deadline-ms); 0: no time is left. -1 and e for the sender: not a number. Any thread.
int deadline_read(const struct route_request *request, int limit_ms, struct err *e);
