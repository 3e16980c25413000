// Unknown query parameters are errors, so that a misspelt one, or one of a later version, is not ignored silently.
#include "server/routes/inference.h"
#include "server/routes/upload.h"

#include <string.h>

struct predict {
	struct inference inference;
	bool explain;
	const char *type; // the request's Content-Type
	struct upload upload;
};

// *model: the name, borrowed, or NULL for the default.
static int read_arguments(const struct route_request *request, bool *explain, const char **model, struct err *e)
{
	*explain = false;
	*model = NULL;
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
			return err_set(e, "explain=%.40s is not accepted; use explain=1 or explain=0", a->value);
	}
	return 0;
}

static bool begin(struct inference *x, const struct routes_context *context, const struct route_request *request,
		  struct route_response *response)
{
	struct predict *p = (struct predict *)x;
	const char *name;
	struct err e;
	p->type = route_header(request, "Content-Type");
	if (read_arguments(request, &p->explain, &name, &e)) {
		route_answer_error(response, 400, "%s", e.msg);
		return false;
	}
	x->model = inference_model(context, name, response);
	return x->model != NULL;
}

static int read(struct inference *x, enum effort effort, struct err *e)
{
	struct predict *p = (struct predict *)x;
	const struct upload_terms terms = { x->limits, effort, x->job.deadline_us * 1000, x->job.gone };
	int status = upload_read(p->type, x->body, x->n_body, &terms, &p->upload, e);
	x->n_pictures = p->upload.n;
	x->job.n = p->upload.n_candidates;
	x->job.pixels = p->upload.pixels;
	return status;
}

static uint64_t memory(const struct inference *x)
{
	return upload_memory(((const struct predict *)x)->type, x->body, x->n_body, x->limits);
}

static void fini(struct inference *x)
{
	upload_free(&((struct predict *)x)->upload);
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

// The answer begins with `error` if no picture is usable.
static void answer(struct inference *x, struct route_response *response)
{
	const struct predict *p = (const struct predict *)x;
	const struct upload *upload = &p->upload;
	struct text t = { 0 };
	int first = 0, status = x->job.n ? 200 : upload->pictures[0].status;
	text_append(&t, "{");
	if (status != 200) {
		text_append(&t, "\"error\": ");
		text_quote(&t, upload->pictures[0].error.msg);
		text_append(&t, ", ");
	}
	text_printf(&t, "\"model\": \"%s\", \"predictions\": [", x->model->name);
	for (int i = 0; i < upload->n; i++) {
		const struct upload_picture *picture = &upload->pictures[i];
		if (i)
			text_append(&t, ", ");
		if (!picture->status) {
			struct lenet5_prediction predictions[CANDIDATES_MAX];
			for (int k = 0; k < picture->n_candidates; k++)
				predictions[k] = lenet5_predict(x->job.model->net, x->job.scores + (first + k) * LENET5_DIGITS);
			int best = candidates_best(upload->candidates + first, picture->n_candidates, predictions);
			write_prediction(&t, &predictions[best]);
			response->account.seen[predictions[best].digit]++;
			if (p->explain)
				write_input(&t, upload->pixels + (first + best) * LENET5_PIXELS);
			first += picture->n_candidates;
		} else {
			text_printf(&t, "{\"digit\": null, \"%s\": ", picture->refused ? "reason" : "error");
			text_quote(&t, picture->error.msg);
			response->account.seen[picture->refused ? ROUTE_REFUSED : ROUTE_UNREADABLE]++;
		}
		text_append(&t, "}");
	}
	text_append(&t, "]}\n");
	route_answer_json(response, status, &t);
}

static const struct inference_kind kind = { sizeof(struct predict), begin, read, memory, answer, fini };
const struct route predict_route = INFERENCE_ROUTE("/predict", &kind);
