// health_route: GET /healthz, whether the daemon lives, and GET /readyz, whether it asks for requests (base/health.h, which is the
// context).
#pragma once

#include "server/base/route.h"

extern const struct route health_routes[];
extern const int health_n_routes;
