// routes: the tables of all routes but GET /metrics.
#pragma once

#include "server/base/route.h"

// The routes' context. Members are borrowed; it outlives the last call.
struct routes_context {
	struct service *service;
	const struct limits *limits;
	struct health *health;
};

enum { ROUTES_N_TABLES = 5 };
void routes_tables(struct routes_context *context, struct route_table tables[ROUTES_N_TABLES]);
