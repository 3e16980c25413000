// A prediction is a call (route.h): start() takes the body apart and decodes it on the HTTP thread; the usable pictures are
// a job, which submit() hands to the batcher, or compute() does with those of other calls at once; finish() writes the answer.
// Without a usable picture start() answers itself.
// Unknown query parameters are refused: who asks for ?explian=1, or for something that a later version can do, had better
// hear of it than get an answer to another question.
#include "server/api.h"

#include "server/deadline.h"
#include "server/upload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct call {
	const struct api *api;
	struct model *model; // a reference
	bool explain;
	int deadline_ms;
	struct upload upload;
	struct batcher_job job;
	void (*done)(void *);
	void *done_arg;
	float scores[]; // (upload.n_usable, 10)
};

static void discard(void *arg)
{
	struct call *call = arg;
	if (!call)
		return;
	model_unref(call->model);
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
static void answer(const struct model *model, const struct upload *upload, const float *scores, bool explain,
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
			if (explain)
				write_input(&t, upload->pixels + usable * LENET5_PIXELS);
			usable++;
		} else {
			text_printf(&t, "{\"digit\": null, \"%s\": ", picture->refused ? "reason" : "error");
			text_quote(&t, picture->error.msg);
		}
		text_append(&t, "}");
	}
	text_append(&t, "]}\n");
	route_answer_json(response, status, &t);
}

static bool all_finite(const float *scores, int n)
{
	for (int i = 0; i < n; i++)
		if (!isfinite(scores[i]))
			return false;
	return true;
}

static void predict_finish(void *arg, struct route_response *response)
{
	struct call *call = arg;
	switch (call->job.result) {
	case BATCHER_OK:
		if (all_finite(call->scores, call->job.n * LENET5_DIGITS))
			answer(call->model, &call->upload, call->scores, call->explain, response);
		else
			route_answer_error(response, 500, "the model's answer is not a number; its weights are no good");
		return;
	case BATCHER_FULL:
		route_answer_error(response, 503, "too many pictures are waiting; try again in a second");
		return;
	case BATCHER_LATE:
		route_answer_error(response, 503, "no answer within %d ms: too much to do; try again in a second", call->deadline_ms);
		return;
	case BATCHER_GONE:
		route_answer_error(response, ROUTE_CLIENT_GONE, "the client has left");
		return;
	case BATCHER_STOPPED:
		route_answer_error(response, 503, "the daemon is going down; try again");
		return;
	case BATCHER_FAILED:
		route_answer_error(response, 500, "the engine failed: %s", call->job.error.msg);
		return;
	}
}

static void *predict_start(void *context, const struct route_request *request, struct route_response *response)
{
	struct api *api = context;
	struct err e;
	bool explain = false;
	const char *name = NULL;
	int deadline_ms = deadline_read(request, api->limits, &e);
	if (deadline_ms < 0 || read_arguments(request, &explain, &name, &e)) {
		route_answer_error(response, 400, "%s", e.msg);
		return NULL;
	}
	struct model *model = models_get(api->models, name);
	if (!model) {
		route_answer_error(response, 404, "no model is called \"%.60s\"; GET /v2/repository/index lists them", name);
		return NULL;
	}
	struct upload upload = { 0 };
	struct call *call = NULL;
	int status = upload_read(route_header(request, "Content-Type"), request->body, request->n_body, api->limits, &upload, &e);
	if (status != 200) {
		route_answer_error(response, status, "%s", e.msg);
		goto answered;
	}
	if (upload.n_usable == 0) {
		answer(model, &upload, NULL, explain, response);
		goto answered;
	}
	call = malloc(sizeof *call + (size_t)upload.n_usable * LENET5_DIGITS * sizeof *call->scores);
	if (!call) {
		route_answer_error(response, 500, "no memory for the pictures; try again later");
		goto answered;
	}
	call->api = api;
	call->model = model;
	call->explain = explain;
	call->deadline_ms = deadline_ms;
	call->upload = upload;
	call->job = (struct batcher_job){
		.model = model->engine_model,
		.pixels = upload.pixels,
		.scores = call->scores,
		.n = upload.n_usable,
		.deadline_us = batcher_now_us() + (int64_t)deadline_ms * 1000,
		.gone = request->gone,
	};
	return call;
answered:
	upload_free(&upload);
	model_unref(model);
	return NULL;
}

static void predict_compute(void *const *calls, int n)
{
	struct batcher_job *jobs[ROUTE_MAX_CALLS];
	for (int i = 0; i < n; i++)
		jobs[i] = &((struct call *)calls[i])->job;
	direct_compute(((struct call *)calls[0])->api->direct, jobs, n);
}

static void job_done(struct batcher_job *job)
{
	struct call *call = (struct call *)((char *)job - offsetof(struct call, job));
	call->done(call->done_arg);
}

static void predict_submit(void *arg, void (*done)(void *), void *done_arg)
{
	struct call *call = arg;
	call->done = done;
	call->done_arg = done_arg;
	call->job.done = job_done;
	enum batcher_result result = batcher_submit(call->api->batcher, &call->job);
	if (result != BATCHER_OK) { // the job is still ours
		call->job.result = result;
		done(done_arg);
	}
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

const struct route api_predict_batched = { "/predict", "POST", predict_start, predict_submit, NULL, predict_finish, discard };
const struct route api_predict_direct = { "/predict", "POST", predict_start, NULL, predict_compute, predict_finish, discard };

const struct route api_routes[] = {
	{ "/healthz", "GET", health_start, NULL, NULL, NULL, NULL },
	{ "/readyz", "GET", ready_start, NULL, NULL, NULL, NULL },
};
const int api_n_routes = sizeof api_routes / sizeof api_routes[0];
