// `lenet predict`: reads the digits in PNG, JPEG and WebP files and prints one line each. A picture that cannot be used gets a line with the reason;
// the others are still read.
#include "core/file.h"
#include "core/picture/candidates.h"
#include "core/picture/decode.h"
#include "core/text.h"
#include "models/measure.h"
#include "models/commands/options.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = 64 << 20 };

static const struct picture_limits limits = PICTURE_LIMITS;

struct arguments {
	const char *model, *network;
	struct engine_choice engine;
	bool json;
};

static int read_picture(const char *path, struct candidates *candidates, struct err *e)
{
	size_t n;
	struct picture picture;
	uint8_t *bytes;
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	if (file_read(path, MAX_FILE_BYTES, &bytes, &n, e))
		return -1;
	enum picture_result decoded = picture_decode(bytes, n, &limits, &picture, e);
	free(bytes);
	if (decoded != PICTURE_OK)
		return err_prefix(e, "%s", name);
	int status = candidates_find(&(struct image){ picture.width, picture.height, picture.luma }, candidates, e);
	picture_free(&picture);
	return status || candidates->n == 0 ? err_prefix(e, "%s", name) : 0;
}

// The most likely of the other digits.
static int second(const struct lenet5_prediction *p)
{
	int best = p->digit == 0;
	for (int i = 0; i < LENET5_DIGITS; i++)
		if (i != p->digit && p->probabilities[i] > p->probabilities[best])
			best = i;
	return best;
}

static void print_text(const char *path, const struct lenet5_prediction *p)
{
	printf("%s: %d (%.2f %%)", path, p->digit, 100 * (double)p->confidence);
	int other = second(p);
	if (p->confidence < 0.9f)
		printf(", or %d (%.2f %%)", other, 100 * (double)p->probabilities[other]);
	putchar('\n');
}

// p NULL: the picture could not be used, for the reason in `wrong`.
static int print_json(const char *path, const struct lenet5_prediction *p, const struct err *wrong, struct err *e)
{
	struct text t = { 0 };
	text_printf(&t, "{\"file\": ");
	text_quote(&t, path);
	if (!p) {
		text_printf(&t, ", \"digit\": null, \"error\": ");
		text_quote(&t, wrong->msg);
	} else {
		text_printf(&t, ", \"digit\": %d, \"confidence\": %.9g, \"probabilities\": [", p->digit, (double)p->confidence);
		for (int i = 0; i < LENET5_DIGITS; i++)
			text_printf(&t, "%s%.9g", i ? ", " : "", (double)p->probabilities[i]);
		text_printf(&t, "]");
	}
	text_printf(&t, "}\n");
	return text_print(&t, stdout, e);
}

// *n_bad: the number of pictures that could not be used.
static int predict_all(struct engine_context *context, const struct engine_model *model, const struct usage *usage, bool json,
		       char **paths, int n, int *n_bad, struct err *e)
{
	for (int i = 0; i < n; i++) {
		struct candidates c;
		float scores[CANDIDATES_MAX * LENET5_DIGITS];
		struct lenet5_prediction predictions[CANDIDATES_MAX], p;
		struct err wrong;
		bool bad = read_picture(paths[i], &c, &wrong);
		if (!bad && engine_forward_pixels(context, model, c.pixels[0], c.n, scores, e))
			return -1;
		for (int k = 0; k < c.n && !bad; k++)
			predictions[k] = lenet5_predict(model->net, scores + k * LENET5_DIGITS);
		if (!bad)
			p = predictions[candidates_best(c.at, c.n, predictions)];
		*n_bad += bad;
		if (json && print_json(paths[i], bad ? NULL : &p, &wrong, e))
			return -1;
		if (!json && bad)
			options_fail(usage, &wrong);
		else if (!json)
			print_text(paths[i], &p);
	}
	return 0;
}

static int run(const struct program *program, const struct usage *usage, const struct arguments *a, char **paths, int n, int *n_bad,
	       struct err *e)
{
	struct weights w = { 0 };
	struct engine *engine = NULL;
	struct engine_model *model = NULL;
	struct engine_context *context = NULL;
	const char *name;
	int status = -1;
	if (measure_model(a->model, a->network, &w, &name, e) || options_open_engine(program, &a->engine, &engine, e))
		goto out;
	const struct engine_network network = { w.net, w.mean, w.std, w.params };
	if (engine_model_new(engine, &network, &model, e) || engine_context_open(engine, CANDIDATES_MAX, 1, &context, e))
		goto out;
	status = predict_all(context, model, usage, a->json, paths, n, n_bad, e);
out:
	engine_context_close(context);
	engine_model_unref(model);
	engine_close(engine);
	weights_free(&w);
	return status;
}

int command_predict(const struct program *program, int argc, char **argv)
{
	struct arguments a = { .engine.device = "auto" };
	const struct option options[] = {
		{ "model", "FILE", "weights file to read (the built-in model)", .text = &a.model },
		{ "network", "NAME", "network of a weights file that does not name it: sigmoid, relu or 1998", .text = &a.network },
		{ "json", NULL, "print one JSON object per line", .flag = &a.json },
		OPTIONS_ENGINE(a.engine),
	};
	static const char help[] = "Prints which digit each picture shows, and how likely; \"-\" is standard input.";
	const struct usage usage = { "predict", "FILE...", help, options, sizeof options / sizeof options[0], 1, INT_MAX };
	int n_bad = 0;
	struct err e;
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	if (run(program, &usage, &a, argv, argc, &n_bad, &e))
		return options_fail(&usage, &e);
	return n_bad ? 1 : 0;
}
