// `lenet predict`: reads the digits in PNG, JPEG and WebP files and prints one line each. A picture that shows no digit gets a line with the
// reason, and that is no failure. One that cannot be read gets an error, and the others are still read. With --explain it shows how it read
// the one picture (explanation.c).
#include "core/decimal.h"
#include "core/file.h"
#include "core/picture/decode.h"
#include "core/picture/steps.h"
#include "core/picture/verdict.h"
#include "core/text.h"
#include "models/commands/explanation.h"
#include "models/measure.h"
#include "models/commands/options.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE_BYTES = 64 << 20 };

static const struct picture_limits limits = PICTURE_LIMITS;

struct arguments {
	const char *model, *network, *threshold, *explain;
	struct engine_choice engine;
	bool json;
};

// What reads a picture.
struct reader {
	struct engine_context *context;
	struct engine_model *model;
	struct lenet5_calibration calibration;
};

// A picture's answer, and how it was read.
struct reading {
	struct verdict verdict;
	struct steps_box box; // of the verdict's candidate
	struct steps_drawn steps; // n 0: not asked for
};

static int judge(const struct reader *reader, const struct picture *picture, bool explain, struct reading *r, struct err *e)
{
	const struct image image = { picture->width, picture->height, picture->luma };
	struct candidates candidates;
	struct steps steps = { 0 };
	struct verdict *v = &r->verdict;
	int status = verdict_read_steps(&image, reader->context, reader->model, reader->calibration, explain ? &steps : NULL,
					&candidates, v, e);
	if (!status && v->candidate >= 0)
		r->box = steps_box(&candidates.at[v->candidate], (double)picture->sent_width / picture->width,
				   (double)picture->sent_height / picture->height);
	if (!status && explain)
		status = steps_draw(&steps, v->candidate, v->candidate < 0 ? NULL : candidates.pixels[v->candidate], &r->steps, e);
	steps_free(&steps);
	return status;
}

// Returns 1; 0 if the picture could not be read, and wrong says why; −1 and e if the engine failed.
static int read_picture(const char *path, const struct reader *reader, bool explain, struct reading *reading, struct err *wrong,
			struct err *e)
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
	int failed = judge(reader, &picture, explain, reading, e);
	picture_free(&picture);
	return failed ? -1 : 1;
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

static void print_text(const char *path, const struct verdict *v)
{
	const struct lenet5_prediction *p = &v->prediction;
	if (v->reason != VERDICT_DIGIT) {
		printf("%s: no digit (%s): %s\n", path, verdict_name(v->reason), verdict_sentence(v->reason));
		return;
	}
	printf("%s: %d (%.2f %%)", path, p->digit, 100 * (double)p->confidence);
	int other = second(p);
	if (p->confidence < 0.9f)
		printf(", or %d (%.2f %%)", other, 100 * (double)p->probabilities[other]);
	putchar('\n');
}

static void write_steps(struct text *t, const struct reading *r)
{
	if (r->verdict.candidate >= 0)
		text_printf(t, ", \"box\": [%d, %d, %d, %d]", r->box.x, r->box.y, r->box.width, r->box.height);
	text_append(t, ", \"steps\": [");
	for (int i = 0; i < r->steps.n; i++) {
		text_printf(t, "%s{\"name\": \"%s\", \"about\": ", i ? ", " : "", r->steps.at[i].name);
		text_quote(t, r->steps.at[i].about);
		text_append(t, "}");
	}
	text_append(t, "]");
}

// r NULL: the picture could not be read, for the reason in `wrong`.
static int print_json(const char *path, const struct reading *r, const struct err *wrong, struct err *e)
{
	const struct verdict *v = r ? &r->verdict : NULL;
	struct text t = { 0 };
	text_printf(&t, "{\"file\": ");
	text_quote(&t, path);
	if (!v) {
		text_printf(&t, ", \"digit\": null, \"error\": ");
		text_quote(&t, wrong->msg);
	} else if (v->reason == VERDICT_DIGIT) {
		text_printf(&t, ", \"digit\": %d", v->prediction.digit);
	} else {
		text_printf(&t, ", \"digit\": null, \"reason\": \"%s\", \"message\": \"%s\"", verdict_name(v->reason),
			    verdict_sentence(v->reason));
	}
	if (v && v->candidate >= 0) {
		text_printf(&t, ", \"confidence\": %.9g, \"probabilities\": [", (double)v->prediction.confidence);
		for (int i = 0; i < LENET5_DIGITS; i++)
			text_printf(&t, "%s%.9g", i ? ", " : "", (double)v->prediction.probabilities[i]);
		text_printf(&t, "]");
	}
	if (r && r->steps.n)
		write_steps(&t, r);
	text_printf(&t, "}\n");
	return text_print(&t, stdout, e);
}

// Reads and prints one picture. Returns 1; 0 if it could not be read; −1 and e.
static int predict(const struct reader *reader, const struct usage *usage, const struct arguments *a, const char *path,
		   struct err *e)
{
	struct reading r = { 0 };
	struct err wrong;
	int was_read = read_picture(path, reader, a->explain != NULL, &r, &wrong, e);
	if (was_read > 0 && a->explain && explanation_write_png(&r.steps, a->explain, e))
		was_read = -1;
	if (was_read >= 0 && a->json) {
		if (print_json(path, was_read ? &r : NULL, &wrong, e))
			was_read = -1;
	} else if (was_read == 0) {
		options_fail(usage, &wrong);
	} else if (was_read > 0) {
		print_text(path, &r.verdict);
		if (a->explain)
			explanation_print(&r.steps, a->explain);
	}
	steps_drawn_free(&r.steps);
	return was_read;
}

// *n_bad: the number of pictures that could not be read.
static int predict_all(const struct reader *reader, const struct usage *usage, const struct arguments *a, char **paths, int n,
		       int *n_bad, struct err *e)
{
	for (int i = 0; i < n; i++) {
		int was_read = predict(reader, usage, a, paths[i], e);
		if (was_read < 0)
			return -1;
		*n_bad += was_read == 0;
	}
	return 0;
}

static int run(const struct program *program, const struct usage *usage, const struct arguments *a, float threshold, char **paths,
	       int n, int *n_bad, struct err *e)
{
	struct weights w = { 0 };
	struct engine *engine = NULL;
	struct reader reader = { 0 };
	const char *name;
	int status = -1;
	if (measure_model(a->model, a->network, &w, &name, e) || options_open_engine(program, &a->engine, &engine, e))
		goto out;
	reader.calibration = w.calibration;
	if (a->threshold)
		reader.calibration.threshold = threshold;
	const struct engine_network network = { w.net, w.mean, w.std, w.params };
	if (engine_model_new(engine, &network, &reader.model, e) ||
	    engine_context_open(engine, CANDIDATES_MAX, 1, &reader.context, e))
		goto out;
	status = predict_all(&reader, usage, a, paths, n, n_bad, e);
out:
	engine_context_close(reader.context);
	engine_model_unref(reader.model);
	engine_close(engine);
	weights_free(&w);
	return status;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat of_a, of_b;
	return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

int command_predict(const struct program *program, int argc, char **argv)
{
	struct arguments a = { .engine.device = "auto" };
	const struct option options[] = {
		{ "model", "FILE", "weights file to read (the built-in model)", .text = &a.model },
		{ "network", "NAME", "network of a weights file that does not name it: sigmoid, relu or 1998", .text = &a.network },
		{ "threshold", "P", "least confidence of a digit, 0 to 1 (the model's own)", .text = &a.threshold },
		{ "explain", "OUT.png", "write how the one picture was read, step by step", .text = &a.explain },
		{ "json", NULL, "print one JSON object per line", .flag = &a.json },
		OPTIONS_ENGINE(a.engine),
	};
	static const char help[] =
		"Prints which digit each picture shows, and how likely, or that it shows none, and why. \"-\" is standard\n"
		"input. Exit status: 0 if all pictures could be read, with or without a digit; else 1.";
	const struct usage usage = { "predict", "FILE...", help, options, sizeof options / sizeof options[0], 1, INT_MAX };
	int n_bad = 0;
	float threshold = 0;
	struct err e;
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	if (a.threshold && !decimal_parse(a.threshold, 0, 1, &threshold))
		return options_wrong(&usage, "--threshold %s: want a number from 0 to 1, as 0.9", a.threshold);
	if (a.explain && argc != 1)
		return options_wrong(&usage, "--explain %s explains one picture; name one FILE, not %d", a.explain, argc);
	if (a.explain && is_same_file(a.explain, argv[0]))
		return options_wrong(&usage, "--explain %s would overwrite the picture; name another file", a.explain);
	if (run(program, &usage, &a, threshold, argv, argc, &n_bad, &e))
		return options_fail(&usage, &e);
	return n_bad ? 1 : 0;
}
