// Unknown query parameters are errors, so that a misspelt one, or one of a later version, is not ignored silently.
#include "core/clock.h"
#include "core/picture/verdict.h"
#include "server/routes/explain.h"
#include "server/routes/inference.h"
#include "server/routes/upload.h"

#include <string.h>

enum explain { EXPLAIN_NOT, EXPLAIN_INPUT, EXPLAIN_STEPS };

struct predict {
	struct inference inference;
	enum explain explain;
	const char *type; // the request's Content-Type
	struct upload upload;
};

// *model: the name, borrowed, or NULL for the default.
static int read_arguments(const struct route_request *request, enum explain *explain, const char **model, struct err *e)
{
	static const struct {
		const char *value;
		enum explain explain;
	} values[] = { { "0", EXPLAIN_NOT },
		       { "false", EXPLAIN_NOT },
		       { "1", EXPLAIN_INPUT },
		       { "true", EXPLAIN_INPUT },
		       { "steps", EXPLAIN_STEPS } };
	enum { N = sizeof values / sizeof values[0] };
	*explain = EXPLAIN_NOT;
	*model = NULL;
	for (int i = 0; i < request->n_arguments; i++) {
		const struct route_argument *a = &request->arguments[i];
		if (strcmp(a->name, "model") == 0) {
			*model = a->value;
			continue;
		}
		if (strcmp(a->name, "explain") != 0)
			return err_set(e,
				       "no parameter is called \"%.40s\"; /predict takes explain=1, explain=steps and model=NAME",
				       a->name);
		int k = 0;
		while (k < N && strcmp(a->value, values[k].value) != 0)
			k++;
		if (k == N)
			return err_set(e, "explain=%.40s is not accepted; use explain=1, explain=steps or explain=0", a->value);
		*explain = values[k].explain;
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
	if (p->explain == EXPLAIN_STEPS && effort != EFFORT_WHOLE)
		return EFFORT_COSTLY; // the steps are yet to be drawn
	const struct upload_terms terms = { x->limits, effort, x->job.deadline_us * 1000, x->job.gone,
					    p->explain == EXPLAIN_STEPS ? EXPLAIN_MAX_PICTURES : 0 };
	int status = upload_read(p->type, x->body, x->n_body, &terms, &p->upload, e);
	x->n_pictures = p->upload.n;
	x->job.n = p->upload.n_candidates;
	x->job.pixels = p->upload.pixels;
	return status;
}

static uint64_t memory(const struct inference *x)
{
	const struct predict *p = (const struct predict *)x;
	uint64_t steps = p->explain == EXPLAIN_STEPS ? EXPLAIN_MAX_PICTURES * (uint64_t)EXPLAIN_PICTURE_BYTES : 0;
	return steps + upload_memory(p->type, x->body, x->n_body, x->limits);
}

static void fini(struct inference *x)
{
	upload_free(&((struct predict *)x)->upload);
}

static void write_probabilities(struct text *t, const struct lenet5_prediction *p)
{
	text_append(t, ", \"confidence\": ");
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

// The verdict on a picture of which candidate number `first` of the request is the first.
static struct verdict judge(const struct predict *p, const struct upload_picture *picture, int first)
{
	const struct inference *x = &p->inference;
	const struct lenet5_calibration *c = &x->model->calibration;
	struct lenet5_prediction predictions[CANDIDATES_MAX];
	for (int k = 0; k < picture->n_candidates; k++)
		predictions[k] = lenet5_predict(x->job.model->net, c->temperature, x->job.scores + (first + k) * LENET5_DIGITS);
	return verdict_of(p->upload.candidates + first, picture->n_candidates, predictions, c->threshold);
}

static void write_explanation(struct text *t, const struct predict *p, const struct upload_picture *picture,
			      const struct verdict *v, int first)
{
	const uint8_t *pixels = v->candidate < 0 ? NULL : p->upload.pixels + (first + v->candidate) * LENET5_PIXELS;
	if (pixels && p->explain)
		write_input(t, pixels);
	if (pixels && p->explain == EXPLAIN_STEPS)
		explain_write_box(t, &p->upload.candidates[first + v->candidate], picture->scale_x, picture->scale_y);
	if (picture->steps && clock_now_ns() < p->inference.job.deadline_us * 1000) // else the answer is late enough
		explain_write_steps(t, picture->steps, v->candidate, pixels);
}

// Writes the entry of a picture that was read, without its closing brace. Returns its result for route_account.seen.
static int write_verdict(struct text *t, const struct predict *p, const struct upload_picture *picture, const struct verdict *v,
			 int first)
{
	static const int seen[VERDICT_N_REASONS] = {
		[VERDICT_BLANK] = ROUTE_BLANK,     [VERDICT_NO_DIGIT] = ROUTE_NO_DIGIT,   [VERDICT_SEVERAL] = ROUTE_SEVERAL_DIGITS,
		[VERDICT_SMALL] = ROUTE_TOO_SMALL, [VERDICT_BLURRED] = ROUTE_TOO_BLURRED,
	};
	bool is_digit = v->reason == VERDICT_DIGIT;
	if (is_digit)
		text_printf(t, "{\"digit\": %d", v->prediction.digit);
	else
		text_printf(t, "{\"digit\": null, \"reason\": \"%s\", \"message\": \"%s\"", verdict_name(v->reason),
			    verdict_sentence(v->reason));
	if (v->candidate >= 0)
		write_probabilities(t, &v->prediction);
	write_explanation(t, p, picture, v, first);
	return is_digit ? v->prediction.digit : seen[v->reason];
}

static void write_predictions(struct text *t, const struct predict *p, struct route_account *account)
{
	const struct upload *upload = &p->upload;
	int first = 0;
	for (int i = 0; i < upload->n; i++) {
		const struct upload_picture *picture = &upload->pictures[i];
		int seen = ROUTE_UNREADABLE;
		if (i)
			text_append(t, ", ");
		if (picture->status) {
			text_append(t, "{\"digit\": null, \"error\": ");
			text_quote(t, picture->error.msg);
		} else {
			struct verdict v = judge(p, picture, first);
			seen = write_verdict(t, p, picture, &v, first);
			first += picture->n_candidates;
		}
		text_append(t, "}");
		account->seen[seen]++;
	}
}

// A refusal is an answer, with status 200. If no picture could be read, the status is the first one's, and the answer begins with `error`.
static void answer(struct inference *x, struct route_response *response)
{
	const struct predict *p = (const struct predict *)x;
	const struct upload_picture *pictures = p->upload.pictures;
	struct text t = { 0 };
	int status = pictures[0].status;
	for (int i = 0; i < p->upload.n; i++)
		status = pictures[i].status ? status : 0;
	text_append(&t, "{");
	if (status) {
		text_append(&t, "\"error\": ");
		text_quote(&t, pictures[0].error.msg);
		text_append(&t, ", ");
	}
	text_printf(&t, "\"model\": \"%s\", \"predictions\": [", x->model->name);
	write_predictions(&t, p, &response->account);
	text_append(&t, "]}\n");
	route_answer_json(response, status ? status : 200, &t);
}

static const struct inference_kind kind = { sizeof(struct predict), begin, read, memory, answer, fini };
const struct route predict_route = INFERENCE_ROUTE("/predict", &kind);
