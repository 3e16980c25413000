// deadline: until when a request wants its answer. X-Request-Timeout-Ms says it, or X-Envoy-Expected-Rq-Timeout-Ms, which Envoy
// adds by itself to what it passes on: whole milliseconds from the complete request. It can only shorten limit_ms, which is --deadline-ms.
#pragma once

#include "core/err.h"
#include "server/base/route.h"

// Milliseconds, 0 if the request has none left; -1 and e, for the sender, if it is no number. Any thread.
int deadline_read(const struct route_request *request, int limit_ms, struct err *e);
