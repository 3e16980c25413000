// routes: the tables of all routes but GET /metrics, one .c file each.
#pragma once

#include "server/base/route.h"

// The routes' context. Members are borrowed; it outlives the last call.
struct routes_context {
	struct service *service;
	const struct limits *limits;
	struct health *health;
};

// page.c: the files of web/ and docs/openapi.json, which are compiled in; no context.
extern const struct route page_routes[];
extern const int page_n_routes;

// predict.c: POST /predict, pictures to digits; the context is a struct routes_context.
extern const struct route predict_route;

enum { ROUTES_N_TABLES = 5 };
void routes_tables(struct routes_context *context, struct route_table tables[ROUTES_N_TABLES]);
