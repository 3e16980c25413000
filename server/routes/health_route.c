#include "server/routes/health_route.h"

#include "server/base/health.h"

bool health_route_is_ready(struct health *health, struct route_response *response)
{
	struct err e;
	if (health_ready(health, &e) == 0)
		return true;
	route_answer_error(response, 503, "not ready: %s", e.msg);
	return false;
}

static void answer_live(void *context, const struct route_request *request, struct route_response *response)
{
	(void)context;
	struct text t = { 0 };
	text_append(&t, request->route->arg);
	route_answer_uncached(response, &t);
}

static void answer_ready(void *context, const struct route_request *request, struct route_response *response)
{
	struct health *health = context;
	struct text t = { 0 };
	if (!health_route_is_ready(health, response))
		return;
	if (request->route->arg)
		text_append(&t, request->route->arg);
	else
		text_printf(&t, "{\"status\": \"ready\", \"engine_losses\": %d}\n", atomic_load(&health->n_losses));
	route_answer_uncached(response, &t);
}

// arg: the answer; NULL: the daemon's own answer, with the engines that were lost.
const struct route health_routes[] = {
	{ .path = "/healthz", .method = "GET", .arg = "{\"status\": \"live\"}\n", .answer = answer_live },
	{ .path = "/readyz", .method = "GET", .answer = answer_ready },
	{ .path = "/v2/health/live", .method = "GET", .arg = "{\"live\": true}\n", .answer = answer_live },
	{ .path = "/v2/health/ready", .method = "GET", .arg = "{\"live\": true, \"ready\": true}\n", .answer = answer_ready },
};
const int health_n_routes = sizeof health_routes / sizeof health_routes[0];
