#include "server/observe/metrics_route.h"

#include "core/version.h"
#include "server/observe/prometheus_text.h"
#include "server/observe/process_metrics.h"

static void write_engine(const struct engine *engine, struct text *t)
{
	prometheus_text_family(t, "lenet_engine_info", "gauge", "The engine that was chosen at start-up and its kernels, 1.");
	text_append(t, "lenet_engine_info{engine=");
	prometheus_text_quote(t, engine->name);
	text_printf(t, ",kernels=\"%s\"} 1\n", engine->kernels);
}

static void answer(void *context, const struct route_request *request, struct route_response *response)
{
	const struct metrics_sources *s = context;
	struct text t = { 0 };
	struct err e;
	(void)request;
	metrics_write(s->observer->metrics, &t);
	prometheus_text_gauge(&t, "lenet_connections_max", "Connections that are accepted at once.", s->max_connections);
	s->write(s->arg, &t);
	prometheus_text_gauge(&t, "lenet_ready", "1 while the daemon is ready for requests, as in /readyz, else 0.",
			      health_ready(s->health, &e) == 0);
	write_engine(s->engine, &t);
	prometheus_text_counter(&t, "lenet_engine_losses_total", "Engines lost for good.",
				(uint64_t)atomic_load(&s->health->n_losses));
	prometheus_text_family(&t, "lenet_build_info", "gauge", "The daemon's version, 1.");
	text_append(&t, "lenet_build_info{version=\"" LENET_VERSION "\"} 1\n");
	if (s->observer->access_log)
		prometheus_text_counter(&t, "lenet_access_log_dropped_total",
					"Lines of the access log that its reader did not take in time.",
					access_log_dropped(s->observer->access_log));
	process_metrics_write(&t);
	route_answer_uncached(response, &t);
	if (response->status == 200)
		response->content_type = PROMETHEUS_TEXT_TYPE;
}

const struct route metrics_route = { .path = "/metrics", .method = "GET", .answer = answer };
