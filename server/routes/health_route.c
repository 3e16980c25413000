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
	(void)context, (void)request;
	struct text t = { 0 };
	text_append(&t, "{\"status\": \"live\"}\n");
	route_answer_uncached(response, &t);
}

static void answer_ready(void *context, const struct route_request *request, struct route_response *response)
{
	(void)request;
	struct health *health = context;
	struct text t = { 0 };
	if (!health_route_is_ready(health, response))
		return;
	text_printf(&t, "{\"status\": \"ready\", \"engine_losses\": %d}\n", atomic_load(&health->n_losses));
	route_answer_uncached(response, &t);
}

const struct route health_routes[] = {
	{ .path = "/healthz", .method = "GET", .answer = answer_live },
	{ .path = "/readyz", .method = "GET", .answer = answer_ready },
};
const int health_n_routes = sizeof health_routes / sizeof health_routes[0];
