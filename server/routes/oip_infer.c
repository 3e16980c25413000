// Requests and answers carry tensors. Pixels are taken as ink without any preparation: clients of this protocol do that themselves.
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

static struct model *find_model(const struct routes_context *context, const struct route_request *request,
				struct route_response *response)
{
	return oip_model(context, &request->parts, response);
}

static int read(struct inference *x, const struct route_request *http, const struct limits *limits, struct err *e)
{
	struct oip_request *request = &((struct infer *)x)->request;
	const char *n_json = route_header(http, "Inference-Header-Content-Length");
	int status = oip_request_read(n_json, http->body, http->n_body, limits->max_pictures, request, e);
	x->n_pictures = x->job.n = request->n;
	x->job.ink = request->ink;
	x->job.pixels = request->pixels;
	return status;
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
		inference_count_seen(response, lenet5_predict(net, x->job.scores + (size_t)i * LENET5_DIGITS).digit);
	size_t n_json = oip_response_write(x->model->name, net, &infer->request, x->job.scores, &body);
	route_answer_json(response, 200, &body);
	if (response->status == 200 && n_json) {
		snprintf(infer->n_json, sizeof infer->n_json, "%zu", n_json);
		response->content_type = "application/octet-stream";
		route_header_add(response, "Inference-Header-Content-Length", infer->n_json);
	}
}

static const struct inference_kind kind = { sizeof(struct infer), find_model, read, answer, fini };
const struct route oip_infer_routes[OIP_N_INFER] = {
	INFERENCE_ROUTE("/v2/models/*/infer", &kind),
	INFERENCE_ROUTE("/v2/models/*/versions/*/infer", &kind),
};
