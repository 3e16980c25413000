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

// Returns 1; 0 if the picture could not be used, and wrong says why; −1 and e if the engine failed.
static int read_digit(const char *path, struct engine_context *context, const struct engine_model *model,
		      struct lenet5_prediction *prediction, struct err *wrong, struct err *e)
{
	size_t n;
	struct picture picture;
	uint8_t *bytes;
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	if (file_read(path, MAX_FILE_BYTES, &bytes, &n, wrong))
		return 0;
	enum picture_result decoded = picture_decode(bytes, n, &limits, &picture, wrong);
	free(bytes);
	if (decoded != PICTURE_OK) {
		err_prefix(wrong, "%s", name);
		return 0;
	}
	int found = candidates_read(&(struct image){ picture.width, picture.height, picture.luma }, context, model, prediction, e);
	picture_free(&picture);
	if (found == 0) {
		*wrong = *e;
		err_prefix(wrong, "%s", name);
	}
	return found;
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
		struct lenet5_prediction p;
		struct err wrong;
		int found = read_digit(paths[i], context, model, &p, &wrong, e);
		if (found < 0)
			return -1;
		bool bad = found == 0;
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
