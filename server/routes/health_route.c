#include "server/routes/health_route.h"

#include "server/base/health.h"

static void answer(struct route_response *response, struct text *t)
{
	route_answer_json(response, 200, t);
	route_header_add(response, "Cache-Control", "no-store");
}

static struct route_call *live_start(void *context, const struct route_request *request, struct route_response *response)
{
	(void)context, (void)request;
	struct text t = { 0 };
	text_append(&t, "{\"status\": \"live\"}\n");
	answer(response, &t);
	return NULL;
}

static struct route_call *ready_start(void *context, const struct route_request *request, struct route_response *response)
{
	(void)request;
	struct health *health = context;
	struct err e;
	if (health_ready(health, &e)) {
		route_answer_error(response, 503, "not ready: %s", e.msg);
		return NULL;
	}
	struct text t = { 0 };
	text_printf(&t, "{\"status\": \"ready\", \"engine_losses\": %d}\n", atomic_load(&health->n_losses));
	answer(response, &t);
	return NULL;
}

const struct route health_routes[] = {
	{ .path = "/healthz", .method = "GET", .start = live_start },
	{ .path = "/readyz", .method = "GET", .start = ready_start },
};
const int health_n_routes = sizeof health_routes / sizeof health_routes[0];
