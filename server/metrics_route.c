// Everything is asked at the moment of the request; there is nothing to keep.
#include "server/metrics_route.h"

#include "core/version.h"
#include "server/access.h"
#include "server/exposition.h"
#include "server/process.h"

#include <inttypes.h>

static uint64_t loads(const struct models_state *s)
{
	return s->n_loads;
}

static uint64_t failures(const struct models_state *s)
{
	return s->n_failures;
}

static uint64_t is_well(const struct models_state *s)
{
	return !*s->failure.msg;
}

static void write_models(struct models *models, struct text *t)
{
	static const struct {
		const char *name, *type, *help;
		uint64_t (*value)(const struct models_state *);
	} families[] = {
		{ "lenet_model_loads_total", "counter", "Loads of a model that went well.", loads },
		{ "lenet_model_load_failures_total", "counter", "Loads of a model that failed: the old one stayed.", failures },
		{ "lenet_model_last_load_successful", "gauge", "1 if the last load of a model went well, else 0.", is_well },
	};
	struct models_state state;
	for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
		exposition_family(t, families[f].name, families[f].type, families[f].help);
		for (int i = 0; models_state(models, i, &state); i++)
			text_printf(t, "%s{model=\"%s\"} %" PRIu64 "\n", families[f].name, state.name, families[f].value(&state));
	}
	exposition_family(t, "lenet_model_info", "gauge", "What is served, 1.");
	for (int i = 0; models_state(models, i, &state); i++) {
		struct model *model = models_get(models, state.name);
		text_printf(t, "lenet_model_info{model=\"%s\",network=\"%s\"} 1\n", state.name, model->engine_model->net->name);
		model_unref(model);
	}
}

static void write_engine(const struct engine *engine, struct text *t)
{
	exposition_family(t, "lenet_engine_info", "gauge", "What was chosen at the start to compute, and by which kernels, 1.");
	text_append(t, "lenet_engine_info{engine=");
	exposition_quote(t, engine->name);
	text_printf(t, ",kernels=\"%s\"} 1\n", engine->kernels);
}

static void *start(void *context, const struct route_request *request, struct route_response *response)
{
	const struct metrics_sources *s = context;
	struct text t = { 0 };
	struct err e;
	(void)request;
	metrics_write(s->metrics, &t);
	exposition_gauge(&t, "lenet_connections_max", "Connections that are accepted at once.", s->limits->max_connections);
	exposition_gauge(&t, "lenet_queue_depth", "Pictures that wait for the engine.", s->batcher ? batcher_depth(s->batcher) : 0);
	exposition_gauge(&t, "lenet_queue_capacity", "Pictures that may wait; 0 where each request computes for itself.",
			 s->batcher ? s->limits->queue : 0);
	write_models(s->models, &t);
	exposition_gauge(&t, "lenet_ready", "1 while the daemon asks for requests, as /readyz says, else 0.",
			 health_ready(s->health, &e) == 0);
	write_engine(s->engine, &t);
	exposition_counter(&t, "lenet_engine_losses_total", "Engines lost for good.", (uint64_t)atomic_load(&s->health->n_losses));
	exposition_family(&t, "lenet_build_info", "gauge", "The daemon's version, 1.");
	text_append(&t, "lenet_build_info{version=\"" LENET_VERSION "\"} 1\n");
	if (s->access)
		exposition_counter(&t, "lenet_access_log_dropped_total", "Lines of the access log that nobody read in time.",
				   access_dropped(s->access));
	process_write(&t);
	route_answer_json(response, 200, &t);
	if (response->status == 200)
		response->content_type = EXPOSITION_TYPE;
	route_header_add(response, "Cache-Control", "no-store");
	return NULL;
}

const struct route metrics_route = { "/metrics", "GET", start, NULL, NULL, NULL, NULL };
