// Requests and answers carry tensors. Pixels are used as ink as they are: clients of this protocol prepare their pictures themselves.
#include "server/routes/oip.h"

#include "server/routes/inference.h"
#include "server/routes/oip_request.h"
#include "server/routes/oip_response.h"

#include <stdio.h>

struct infer {
	struct inference inference;
	struct oip_request request;
	char n_json[24]; // the response's Inference-Header-Content-Length
};

static bool read(struct inference *x, const struct routes_context *context, const struct route_request *http,
		 struct route_response *response)
{
	struct oip_request *request = &((struct infer *)x)->request;
	const char *n_json = route_header(http, "Inference-Header-Content-Length");
	struct err e;
	x->model = oip_model(context, &http->parts, response);
	if (!x->model)
		return false;
	int status = oip_request_read(n_json, http->body, http->n_body, context->limits->max_pictures, request, &e);
	if (status)
		route_answer_error(response, status, "%s", e.msg);
	x->n_pictures = x->job.n = request->n;
	x->job.ink = request->ink;
	x->job.pixels = request->pixels;
	return status == 0;
}

static void fini(struct inference *x)
{
	oip_request_free(&((struct infer *)x)->request);
}

static void answer(struct inference *x, struct route_response *response)
{
	struct infer *infer = (struct infer *)x;
	const struct lenet5 *net = x->job.model->net;
	struct text body = { 0 };
	for (int i = 0; i < x->job.n; i++)
		response->account.seen[lenet5_predict(net, 1, x->job.scores + (size_t)i * LENET5_DIGITS).digit]++;
	size_t n_json =
		oip_response_write(x->model->name, net, x->model->calibration.temperature, &infer->request, x->job.scores, &body);
	route_answer_json(response, 200, &body);
	if (response->status == 200 && n_json) {
		snprintf(infer->n_json, sizeof infer->n_json, "%zu", n_json);
		response->content_type = "application/octet-stream";
		route_header_add(response, "Inference-Header-Content-Length", infer->n_json);
	}
}

static const struct inference_kind kind = { sizeof(struct infer), read, answer, fini };
const struct route oip_infer_routes[OIP_N_INFER] = {
	INFERENCE_ROUTE("/v2/models/*/infer", &kind),
	INFERENCE_ROUTE("/v2/models/*/versions/*/infer", &kind),
};
