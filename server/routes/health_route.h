// health_route: GET /healthz (the daemon is running) and GET /readyz (it is ready for requests). The context is a struct health.
#pragma once

#include "server/base/route.h"

#include <stdbool.h>

struct health;

extern const struct route health_routes[];
extern const int health_n_routes;

// Whether the daemon is ready. False: the response is filled with 503 and the reason.
bool health_route_is_ready(struct health *health, struct route_response *response);
