// A prediction is a call (route.h): start() takes the body apart and decodes it on the HTTP thread; the usable pictures are
// a job, which submit() hands to the batcher, or compute() does with those of other calls at once; finish() writes the answer.
// Without a usable picture start() answers itself.
// Unknown query parameters are refused: who asks for ?explian=1, or for something that a later version can do, had better
// hear of it than get an answer to another question.
#include "server/api.h"

#include "server/clock.h"
#include "server/deadline.h"
#include "server/inference.h"
#include "server/upload.h"

#include <stdlib.h>
#include <string.h>

struct call {
	struct inference inference; // first: a call is one
	bool explain;
	struct upload upload;
	float scores[]; // (upload.n_usable, 10)
};

static void discard(void *arg)
{
	struct call *call = arg;
	if (!call)
		return;
	inference_fini(&call->inference);
	upload_free(&call->upload);
	free(call);
}

// *model: the name, borrowed, or NULL.
static int read_arguments(const struct route_request *request, bool *explain, const char **model, struct err *e)
{
	for (int i = 0; i < request->n_arguments; i++) {
		const struct route_argument *a = &request->arguments[i];
		if (strcmp(a->name, "model") == 0) {
			*model = a->value;
			continue;
		}
		if (strcmp(a->name, "explain") != 0)
			return err_set(e, "no parameter is called \"%.40s\"; /predict takes explain=1 and model=NAME", a->name);
		*explain = strcmp(a->value, "1") == 0 || strcmp(a->value, "true") == 0;
		if (!*explain && strcmp(a->value, "0") != 0 && strcmp(a->value, "false") != 0)
			return err_set(e, "explain=%.40s is not understood; use explain=1 or explain=0", a->value);
	}
	return 0;
}

static void write_prediction(struct text *t, const struct lenet5_prediction *p)
{
	text_printf(t, "{\"digit\": %d, \"confidence\": ", p->digit);
	text_float(t, p->confidence);
	text_append(t, ", \"probabilities\": [");
	for (int d = 0; d < LENET5_DIGITS; d++) {
		if (d)
			text_append(t, ", ");
		text_float(t, p->probabilities[d]);
	}
	text_append(t, "]");
}

static void write_input(struct text *t, const uint8_t *pixels)
{
	text_append(t, ", \"input\": [");
	for (int i = 0; i < LENET5_PIXELS; i++)
		text_printf(t, "%s%d", i ? ", " : "", pixels[i]);
	text_append(t, "]");
}

// The answer: `error` before the predictions if none of the pictures could be used. scores: of the usable ones.
static void answer(const struct api *api, const struct model *model, const struct upload *upload, const float *scores, bool explain,
		   struct route_response *response)
{
	const struct lenet5 *net = model->engine_model->net;
	struct text t = { 0 };
	int usable = 0, status = upload->n_usable ? 200 : upload->pictures[0].status;
	text_append(&t, "{");
	if (status != 200) {
		text_append(&t, "\"error\": ");
		text_quote(&t, upload->pictures[0].error.msg);
		text_append(&t, ", ");
	}
	text_append(&t, "\"model\": ");
	text_quote(&t, model->name);
	text_append(&t, ", \"predictions\": [");
	for (int i = 0; i < upload->n; i++) {
		const struct upload_picture *picture = &upload->pictures[i];
		if (i)
			text_append(&t, ", ");
		if (picture->status == 200) {
			struct lenet5_prediction p = lenet5_predict(net, scores + usable * LENET5_DIGITS);
			write_prediction(&t, &p);
			metrics_prediction(api->metrics, p.digit);
			if (explain)
				write_input(&t, upload->pixels + usable * LENET5_PIXELS);
			usable++;
		} else {
			text_printf(&t, "{\"digit\": null, \"%s\": ", picture->refused ? "reason" : "error");
			text_quote(&t, picture->error.msg);
			metrics_prediction(api->metrics, picture->refused ? METRICS_REFUSED : METRICS_UNREADABLE);
		}
		text_append(&t, "}");
	}
	text_append(&t, "]}\n");
	route_answer_json(response, status, &t);
}

static void predict_finish(void *arg, struct route_response *response)
{
	struct call *call = arg;
	if (!inference_succeeded(&call->inference, response))
		return;
	answer(call->inference.api, call->inference.model, &call->upload, call->scores, call->explain, response);
	inference_count_success(&call->inference);
}

static void *predict_start(void *context, const struct route_request *request, struct route_response *response)
{
	struct api *api = context;
	struct err e;
	int64_t came_ns = clock_now_ns();
	bool explain = false;
	const char *name = NULL;
	if (!inference_has_body(request, response))
		return NULL;
	int deadline_ms = deadline_read(request, api->limits, &e);
	if (deadline_ms < 0 || read_arguments(request, &explain, &name, &e)) {
		route_answer_error(response, 400, "%s", e.msg);
		return NULL;
	}
	struct model *model = inference_model(api, name, response);
	if (!model)
		return NULL;
	struct upload upload = { 0 };
	struct call *call = NULL;
	int status = upload_read(route_header(request, "Content-Type"), request->body, request->n_body, api->limits, &upload, &e);
	inference_account(model, upload.n, came_ns, response);
	if (status != 200) {
		route_answer_error(response, status, "%s", e.msg);
		goto answered;
	}
	if (upload.n_usable == 0) {
		answer(api, model, &upload, NULL, explain, response);
		goto answered;
	}
	call = malloc(sizeof *call + (size_t)upload.n_usable * LENET5_DIGITS * sizeof *call->scores);
	if (!call) {
		route_answer_error(response, 500, "no memory for the pictures; try again later");
		goto answered;
	}
	call->explain = explain;
	call->upload = upload;
	inference_init(&call->inference, api, model, request, came_ns, deadline_ms);
	call->inference.job.n = upload.n_usable;
	call->inference.job.pixels = upload.pixels;
	call->inference.job.scores = call->scores;
	return call;
answered:
	inference_count_failure(model, came_ns);
	upload_free(&upload);
	model_unref(model);
	return NULL;
}

static void *health_start(void *context, const struct route_request *request, struct route_response *response)
{
	(void)context, (void)request;
	struct text t = { 0 };
	text_append(&t, "{\"status\": \"live\"}\n");
	route_answer_json(response, 200, &t);
	route_header_add(response, "Cache-Control", "no-store");
	return NULL;
}

static void *ready_start(void *context, const struct route_request *request, struct route_response *response)
{
	(void)request;
	struct api *api = context;
	struct err e;
	if (health_ready(api->health, &e)) {
		route_answer_error(response, 503, "not ready: %s", e.msg);
		return NULL;
	}
	struct text t = { 0 };
	text_printf(&t, "{\"status\": \"ready\", \"engine_losses\": %d}\n", atomic_load(&api->health->n_losses));
	route_answer_json(response, 200, &t);
	route_header_add(response, "Cache-Control", "no-store");
	return NULL;
}

const struct route api_predict_batched = { "/predict", "POST", predict_start, inference_submit, NULL, predict_finish, discard };
const struct route api_predict_direct = { "/predict", "POST", predict_start, NULL, inference_compute, predict_finish, discard };

const struct route api_routes[] = {
	{ "/healthz", "GET", health_start, NULL, NULL, NULL, NULL },
	{ "/readyz", "GET", ready_start, NULL, NULL, NULL, NULL },
};
const int api_n_routes = sizeof api_routes / sizeof api_routes[0];
