// routes: all that the daemon answers but GET /metrics.
#pragma once

#include "server/base/route.h"

// What the routes are given as their context. Borrowed members; outlives the last call.
struct routes_context {
	struct service *service;
	const struct limits *limits;
	struct health *health;
};

enum { ROUTES_N_TABLES = 5 };
void routes_tables(struct routes_context *context, struct route_table tables[ROUTES_N_TABLES]);
