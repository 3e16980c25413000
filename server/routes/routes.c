#include "server/routes/routes.h"

#include "server/routes/health_route.h"
#include "server/routes/oip.h"

#include <string.h>

void routes_tables(struct routes_context *context, struct route_table tables[ROUTES_N_TABLES])
{
	const struct route_table all[ROUTES_N_TABLES] = {
		{ &predict_route, 1, context },
		{ health_routes, health_n_routes, context->health },
		{ page_routes, page_n_routes, NULL },
		{ oip_routes, oip_n_routes, context },
		{ oip_infer_routes, OIP_N_INFER, context },
	};
	memcpy(tables, all, sizeof all);
}
