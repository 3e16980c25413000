// Metadata, readiness, statistics and loading of models. Unknown URL parameters are ignored, since the protocol allows clients to send
// them. Names of models need no escaping (models.h).
#include "server/routes/oip.h"

#include "core/version.h"
#include "server/routes/health_route.h"
#include "server/routes/inference.h"
#include "server/routes/json.h"
#include "server/routes/oip_response.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct model *oip_model(const struct routes_context *context, const struct route_parts *parts, struct route_response *response)
{
	struct model *model = inference_model(context, parts->part[0], response);
	const char *version = parts->part[1];
	if (model && *version && strcmp(version, OIP_VERSION) != 0) {
		route_answer_error(response, 404, "model \"%s\" has no version \"%.60s\"; there is \"" OIP_VERSION "\"",
				   model->name, version);
		model_unref(model);
		return NULL;
	}
	return model;
}

static void answer_server(void *context, const struct route_request *request, struct route_response *response)
{
	(void)request;
	const struct routes_context *c = context;
	struct model *model = models_get(service_models(c->service), NULL);
	const struct engine *engine = model->engine_model->engine;
	struct text t = { 0 };
	text_append(&t, "{\"name\": \"lenetd\", \"version\": \"" LENET_VERSION "\", \"extensions\": [\"binary_tensor_data\", "
			"\"classification\", \"model_configuration\", \"model_repository\", \"statistics\"], \"engine\": ");
	text_quote(&t, engine->name);
	text_printf(&t, ", \"kernels\": \"%s\"}\n", engine->kernels);
	model_unref(model);
	route_answer_uncached(response, &t);
}

static void answer_model_ready(void *context, const struct route_request *request, struct route_response *response)
{
	const struct routes_context *c = context;
	struct text t = { 0 };
	struct model *model = oip_model(c, &request->parts, response);
	if (model && health_route_is_ready(c->health, response)) {
		text_printf(&t, "{\"name\": \"%s\", \"ready\": true}\n", model->name);
		route_answer_uncached(response, &t);
	}
	model_unref(model);
}

static void answer_model(void *context, const struct route_request *request, struct route_response *response)
{
	struct text t = { 0 };
	struct model *model = oip_model(context, &request->parts, response);
	if (!model)
		return;
	text_printf(&t,
		    "{\"name\": \"%s\", \"versions\": [\"" OIP_VERSION "\"], \"platform\": \"lenet_safetensors\", "
		    "\"inputs\": [{\"name\": \"input\", \"datatype\": \"FP32\", \"shape\": [-1, 1, 28, 28]}], \"outputs\": [",
		    model->name);
	for (int k = 0; k < OIP_N_OUTPUTS; k++)
		text_printf(&t, "%s{\"name\": \"%s\", \"datatype\": \"FP32\", \"shape\": [-1, 10]}", k ? ", " : "",
			    oip_output_names[k]);
	text_append(&t, "]}\n");
	route_answer_uncached(response, &t);
	model_unref(model);
}

static void write_parameter(struct text *t, const char *name, float value)
{
	text_printf(t, ", \"%s\": {\"string_value\": \"", name);
	text_float(t, value);
	text_append(t, "\"}");
}

// Triton's ModelConfig (model_config.proto); dims exclude the batch.
static void answer_config(void *context, const struct route_request *request, struct route_response *response)
{
	const struct routes_context *c = context;
	struct text t = { 0 };
	struct model *model = oip_model(c, &request->parts, response);
	if (!model)
		return;
	const struct lenet5 *net = model->engine_model->net;
	text_printf(&t,
		    "{\"name\": \"%s\", \"platform\": \"lenet_safetensors\", \"backend\": \"lenet\", "
		    "\"version_policy\": {\"latest\": {\"num_versions\": 1}}, \"max_batch_size\": %d, "
		    "\"input\": [{\"name\": \"input\", \"data_type\": \"TYPE_FP32\", \"dims\": [1, 28, 28]}], \"output\": [",
		    model->name, c->limits->max_pictures);
	for (int k = 0; k < OIP_N_OUTPUTS; k++)
		text_printf(&t, "%s{\"name\": \"%s\", \"data_type\": \"TYPE_FP32\", \"dims\": [10]}", k ? ", " : "",
			    oip_output_names[k]);
	text_printf(&t, "], \"parameters\": {\"network\": {\"string_value\": \"%s\"}, \"logits\": {\"string_value\": \"%s\"}",
		    net->name, net->output == LENET5_PENALTIES ? "penalties below zero" : "linear");
	write_parameter(&t, "mean", model->mean);
	write_parameter(&t, "std", model->std);
	write_parameter(&t, "temperature", model->calibration.temperature);
	write_parameter(&t, "threshold", model->calibration.threshold);
	text_append(&t, "}}\n");
	route_answer_uncached(response, &t);
	model_unref(model);
}

static void write_duration(struct text *t, const char *name, uint64_t n, uint64_t ns)
{
	text_printf(t, "\"%s\": {\"count\": %" PRIu64 ", \"ns\": %" PRIu64 "}, ", name, n, ns);
}

static void write_statistics(struct text *t, const struct model *model)
{
	const struct models_statistics *s = model->statistics;
	uint64_t n = s->n_success;
	text_printf(t,
		    "{\"name\": \"%s\", \"version\": \"" OIP_VERSION "\", \"last_inference\": %" PRIu64
		    ", \"inference_count\": %" PRIu64 ", "
		    "\"execution_count\": %" PRIu64 ", \"inference_stats\": {",
		    model->name, s->last_ms, s->passes.pictures, s->passes.passes);
	write_duration(t, "success", n, s->success_ns);
	write_duration(t, "fail", s->n_fail, s->fail_ns);
	write_duration(t, "queue", n, s->queue_ns);
	write_duration(t, "compute_input", n, s->input_ns);
	write_duration(t, "compute_infer", n, s->infer_ns);
	write_duration(t, "compute_output", n, s->output_ns);
	text_append(t,
		    "\"cache_hit\": {\"count\": 0, \"ns\": 0}, \"cache_miss\": {\"count\": 0, \"ns\": 0}}, \"batch_stats\": []}");
}

static void answer_stats(void *context, const struct route_request *request, struct route_response *response)
{
	struct text t = { 0 };
	struct model *model = oip_model(context, &request->parts, response);
	if (!model)
		return;
	text_append(&t, "{\"model_stats\": [");
	write_statistics(&t, model);
	text_append(&t, "]}\n");
	route_answer_uncached(response, &t);
	model_unref(model);
}

static void answer_all_stats(void *context, const struct route_request *request, struct route_response *response)
{
	(void)request;
	const struct routes_context *c = context;
	struct text t = { 0 };
	struct models_state state;
	text_append(&t, "{\"model_stats\": [");
	for (int i = 0; models_state(service_models(c->service), i, &state); i++) {
		struct model *model = models_get(service_models(c->service), state.name);
		text_append(&t, i ? ", " : "");
		write_statistics(&t, model);
		model_unref(model);
	}
	text_append(&t, "]}\n");
	route_answer_uncached(response, &t);
}

// Parses a body that is empty or a JSON object. *root belongs to the caller; NULL: the body is empty. -1: the response is filled.
static int read_object(const struct routes_context *c, const struct route_request *request, cJSON **root,
		       struct route_response *response)
{
	struct err e = { "the body must be empty or a JSON object" };
	*root = NULL;
	if (request->n_body == 0)
		return 0;
	if (request->n_body > EFFORT_SMALL_BYTES) { // it is parsed here
		route_answer_error(response, 413, "the body has more than %d bytes, and this request needs none",
				   EFFORT_SMALL_BYTES);
		return -1;
	}
	int status = json_parse(request->body, request->n_body, c->limits->max_pictures, root, &e);
	if (status == 0 && cJSON_IsObject(*root))
		return 0;
	cJSON_Delete(*root);
	route_answer_error(response, 400, "%s", e.msg);
	return -1;
}

// All models are always loaded, since a load that fails keeps the old one; `reason` is then why it failed.
static void answer_index(void *context, const struct route_request *request, struct route_response *response)
{
	const struct routes_context *c = context;
	struct text t = { 0 };
	struct models_state state;
	cJSON *root;
	if (read_object(c, request, &root, response))
		return;
	const cJSON *ready = cJSON_GetObjectItemCaseSensitive(root, "ready");
	bool is_good = !ready || cJSON_IsBool(ready);
	cJSON_Delete(root);
	if (!is_good) {
		route_answer_error(response, 400, "ready: must be true or false");
		return;
	}
	text_append(&t, "[");
	for (int i = 0; models_state(service_models(c->service), i, &state); i++) {
		text_printf(&t, "%s{\"name\": \"%s\", \"version\": \"" OIP_VERSION "\", \"state\": \"READY\", \"reason\": ",
			    i ? ", " : "", state.name);
		text_quote(&t, state.failure.msg);
		text_append(&t, "}");
	}
	text_append(&t, "]\n");
	route_answer_uncached(response, &t);
}

struct load_call {
	struct route_call call;
	struct loader *loader;
	struct loader_job job;
};

static void load_submit(struct route_call *call, void (*done)(void *), void *done_arg)
{
	struct load_call *load = (struct load_call *)call;
	load->job.done = done;
	load->job.done_arg = done_arg;
	if (loader_submit(load->loader, &load->job) != LOADER_OK)
		done(done_arg);
}

static struct route_call *load_start(void *context, const struct route_request *request, struct route_response *response)
{
	static const struct route_worker loads = { .submit = load_submit };
	const struct routes_context *c = context;
	struct load_call *load = NULL;
	cJSON *root;
	struct model *model = oip_model(c, &request->parts, response);
	if (!model)
		return NULL;
	model_unref(model);
	if (read_object(c, request, &root, response))
		return NULL;
	const cJSON *parameters = cJSON_GetObjectItemCaseSensitive(root, "parameters");
	if (parameters && (!cJSON_IsObject(parameters) || parameters->child)) {
		route_answer_error(response, 400,
				   "parameters: none are accepted; a model is read from the file that the daemon was started with");
	} else if (!(load = calloc(1, sizeof *load))) {
		route_answer_error(response, 500, "no memory to load a model; try again later");
	} else {
		load->call.worker = &loads;
		load->loader = service_loader(c->service);
		memcpy(load->job.name, request->parts.part[0], sizeof load->job.name);
	}
	cJSON_Delete(root);
	return load ? &load->call : NULL;
}

static void load_finish(struct route_call *call, struct route_response *response)
{
	const struct loader_job *job = &((const struct load_call *)call)->job;
	struct text t = { 0 };
	switch (job->result) {
	case LOADER_OK:
		text_append(&t, "{}\n");
		route_answer_uncached(response, &t);
		break;
	case LOADER_FAILED:
		route_answer_error(response, 400, "the model stays as it is: %s", job->error.msg);
		break;
	case LOADER_FULL:
		route_answer_error(response, 503, "%d loads are waiting already; try again when the models' storage responds",
				   LOADER_MAX_WAITING);
		break;
	case LOADER_STOPPED:
		route_answer_error(response, 503, "the daemon is going down; try again");
		break;
	}
}

static void load_discard(struct route_call *call)
{
	free(call);
}

static void answer_unload(void *context, const struct route_request *request, struct route_response *response)
{
	struct model *model = oip_model(context, &request->parts, response);
	if (model)
		route_answer_error(response, 400, "models are not unloaded: \"%s\" is served for as long as the daemon runs",
				   model->name);
	model_unref(model);
}

// The first match is used: /v2/models/stats is not a model.
const struct route oip_routes[] = {
	{ .path = "/v2", .method = "GET", .answer = answer_server },
	{ .path = "/v2/", .method = "GET", .answer = answer_server },
	{ .path = "/v2/models/stats", .method = "GET", .answer = answer_all_stats },
	{ .path = "/v2/models/*", .method = "GET", .answer = answer_model },
	{ .path = "/v2/models/*/versions/*", .method = "GET", .answer = answer_model },
	{ .path = "/v2/models/*/ready", .method = "GET", .answer = answer_model_ready },
	{ .path = "/v2/models/*/versions/*/ready", .method = "GET", .answer = answer_model_ready },
	{ .path = "/v2/models/*/config", .method = "GET", .answer = answer_config },
	{ .path = "/v2/models/*/versions/*/config", .method = "GET", .answer = answer_config },
	{ .path = "/v2/models/*/stats", .method = "GET", .answer = answer_stats },
	{ .path = "/v2/models/*/versions/*/stats", .method = "GET", .answer = answer_stats },
	{ .path = "/v2/repository/index", .method = "POST", .answer = answer_index },
	{ .path = "/v2/repository/models/*/load",
	  .method = "POST",
	  .start = load_start,
	  .finish = load_finish,
	  .discard = load_discard },
	{ .path = "/v2/repository/models/*/unload", .method = "POST", .answer = answer_unload },
};
const int oip_n_routes = sizeof oip_routes / sizeof oip_routes[0];
