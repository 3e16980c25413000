// A call as /predict's is (api.c), with tensors at both ends instead of pictures and digits. Its pixels are the network's ink as they
// are: a client of this protocol has prepared them, and is not second-guessed.
#include "server/oip.h"

#include "server/clock.h"
#include "server/deadline.h"
#include "server/inference.h"
#include "server/oip_request.h"
#include "server/oip_response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct call {
	struct inference inference; // first: a call is one
	struct oip_request request;
	char n_json[24]; // the response's Inference-Header-Content-Length
	float scores[]; // (request.n, 10)
};

static void discard(void *arg)
{
	struct call *call = arg;
	if (!call)
		return;
	inference_fini(&call->inference);
	oip_request_free(&call->request);
	free(call);
}

static void *start(void *context, const struct route_request *http, struct route_response *response)
{
	const struct api *api = context;
	int64_t came_ns = clock_now_ns();
	struct oip_request request = { 0 };
	struct err e;
	if (!inference_has_body(http, response))
		return NULL;
	int deadline_ms = deadline_read(http, api->limits, &e);
	if (deadline_ms < 0) {
		route_answer_error(response, 400, "%s", e.msg);
		return NULL;
	}
	struct model *model = oip_model(api, &http->parts, response);
	if (!model)
		return NULL;
	const char *n_json = route_header(http, "Inference-Header-Content-Length");
	int status = oip_request_read(n_json, http->body, http->n_body, api->limits, &request, &e);
	inference_account(model, request.n, came_ns, response);
	if (status == 200) {
		struct call *call = malloc(sizeof *call + (size_t)request.n * LENET5_DIGITS * sizeof *call->scores);
		if (call) {
			call->request = request;
			inference_init(&call->inference, api, model, http, came_ns, deadline_ms);
			call->inference.job.n = request.n;
			call->inference.job.ink = request.ink;
			call->inference.job.pixels = request.pixels;
			call->inference.job.scores = call->scores;
			return call;
		}
		status = 500;
		err_set(&e, "no memory for the answer; try again later");
	}
	route_answer_error(response, status, "%s", e.msg);
	inference_count_failure(model, came_ns);
	oip_request_free(&request);
	model_unref(model);
	return NULL;
}

static void finish(void *arg, struct route_response *response)
{
	struct call *call = arg;
	struct text body = { 0 };
	if (!inference_succeeded(&call->inference, response))
		return;
	const struct model *model = call->inference.model;
	for (int i = 0; i < call->request.n; i++)
		metrics_prediction(call->inference.api->metrics,
				   lenet5_predict(model->engine_model->net, call->scores + (size_t)i * LENET5_DIGITS).digit);
	size_t n_json = oip_response_write(model->name, model->engine_model->net, &call->request, call->scores, &body);
	route_answer_json(response, 200, &body);
	if (response->status == 200 && n_json) {
		snprintf(call->n_json, sizeof call->n_json, "%zu", n_json);
		response->content_type = "application/octet-stream";
		route_header_add(response, "Inference-Header-Content-Length", call->n_json);
	}
	inference_count_success(&call->inference);
}

const struct route oip_infer_batched[OIP_N_INFER] = {
	{ "/v2/models/*/infer", "POST", start, inference_submit, NULL, finish, discard },
	{ "/v2/models/*/versions/*/infer", "POST", start, inference_submit, NULL, finish, discard },
};
const struct route oip_infer_direct[OIP_N_INFER] = {
	{ "/v2/models/*/infer", "POST", start, NULL, inference_compute, finish, discard },
	{ "/v2/models/*/versions/*/infer", "POST", start, NULL, inference_compute, finish, discard },
};
