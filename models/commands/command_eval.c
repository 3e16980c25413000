// `lenet eval`: accuracy, loss, confusion matrix, right and wrong answers by confidence, and the most confident mistakes.
#include "core/file.h"
#include "core/picture/png.h"
#include "core/text.h"
#include "models/commands/evaluation.h"
#include "models/commands/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SHOWN_MISTAKES = 10 };

// Upper bounds of the classes of confidence in which answers are counted.
static const double confidences[] = { 0.2, 0.5, 0.9, 0.99, 1 };
enum { N_CONFIDENCES = sizeof confidences / sizeof confidences[0] };

struct report {
	uint32_t right[N_CONFIDENCES], wrong[N_CONFIDENCES];
	uint32_t n_refused, n_refused_right; // with less confidence than the model's threshold
	uint32_t n_mistakes, *mistakes; // indices, the most confident first
};

// Equally confident ones stay in the pictures' order.
static int surer_first(const void *a, const void *b, void *predictions)
{
	const struct lenet5_prediction *p = predictions;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	if (p[i].confidence != p[j].confidence)
		return p[i].confidence > p[j].confidence ? -1 : 1;
	return i < j ? -1 : i > j;
}

static int make_report(const struct evaluation *v, struct report *r, struct err *e)
{
	r->mistakes = malloc(v->test.n * sizeof *r->mistakes);
	if (!r->mistakes)
		return err_set(e, "out of memory");
	for (uint32_t i = 0; i < v->test.n; i++) {
		const struct lenet5_prediction *p = &v->predictions[i];
		int label = v->test.labels[i], k = 0;
		while (k < N_CONFIDENCES - 1 && (double)p->confidence > confidences[k])
			k++;
		(p->digit == label ? r->right : r->wrong)[k]++;
		r->n_refused += p->confidence < v->weights.calibration.threshold;
		r->n_refused_right += p->confidence < v->weights.calibration.threshold && p->digit == label;
		if (p->digit != label)
			r->mistakes[r->n_mistakes++] = i;
	}
	qsort_r(r->mistakes, r->n_mistakes, sizeof *r->mistakes, surer_first, v->predictions);
	return 0;
}

static int write_mistakes(const char *dir, const struct evaluation *v, const struct report *r, struct err *e)
{
	if (mkdir(dir, 0777) && errno != EEXIST)
		return err_errno(e, "%s", dir);
	for (uint32_t k = 0; k < r->n_mistakes; k++) {
		uint32_t i = r->mistakes[k];
		char path[4096];
		uint8_t *bytes;
		size_t n;
		struct image image = { LENET5_SIDE, LENET5_SIDE, v->test.pixels + (size_t)i * LENET5_PIXELS };
		if (snprintf(path, sizeof path, "%s/%05u-is-%d-read-%d.png", dir, i, v->test.labels[i], v->predictions[i].digit) >=
		    (int)sizeof path)
			return err_set(e, "%.40s...: the name is too long", dir);
		if (png_encode(&image, &bytes, &n, e))
			return err_prefix(e, "%s", path);
		int status = file_write(path, bytes, n, e);
		free(bytes);
		if (status)
			return -1;
	}
	return 0;
}

static void print_text(const struct evaluation *v, const struct report *r)
{
	const struct measure *m = &v->measure;
	const struct lenet5_calibration *c = &v->weights.calibration;
	printf("%s on the %u test pictures of %s:\n", v->model, m->n, v->dir);
	printf("accuracy %.2f %% (%u right, %u wrong), loss %.5f\n", 100 * measure_accuracy(m), m->n_right, m->n - m->n_right,
	       m->loss);
	printf("temperature %.6g, threshold %.6g, below it %u right and %u wrong\n\n", (double)c->temperature, (double)c->threshold,
	       r->n_refused_right, r->n_refused - r->n_refused_right);
	printf("label     answer 0     1     2     3     4     5     6     7     8     9   right\n");
	for (int label = 0; label < LENET5_DIGITS; label++) {
		uint32_t sum = 0;
		printf("%5d       ", label);
		for (int answer = 0; answer < LENET5_DIGITS; answer++) {
			sum += v->confusion[label][answer];
			if (v->confusion[label][answer])
				printf("%6u", v->confusion[label][answer]);
			else
				printf("     .");
		}
		if (sum)
			printf("%7.2f %%", 100.0 * v->confusion[label][label] / sum);
		putchar('\n');
	}
	printf("\nconfidence   to 20 %%  to 50 %%  to 90 %%  to 99 %%    above\n");
	for (int wrong = 0; wrong < 2; wrong++) {
		printf("%-10s", wrong ? "wrong" : "right");
		for (int k = 0; k < N_CONFIDENCES; k++)
			printf("%9u", (wrong ? r->wrong : r->right)[k]);
		putchar('\n');
	}
	uint32_t n = r->n_mistakes < SHOWN_MISTAKES ? r->n_mistakes : SHOWN_MISTAKES;
	printf("\n%s", n ? "worst mistakes:\npicture  label  answer  confidence\n" : "no mistake\n");
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = r->mistakes[k];
		printf("%7u  %5d  %6d  %8.2f %%\n", i, v->test.labels[i], v->predictions[i].digit,
		       100 * (double)v->predictions[i].confidence);
	}
}

static int print_json(const struct evaluation *v, const struct report *r, struct err *e)
{
	struct text t = { 0 };
	text_printf(&t, "{\"model\": ");
	text_quote(&t, v->model);
	text_printf(&t, ", \"data\": ");
	text_quote(&t, v->dir);
	text_printf(&t,
		    ", \"pictures\": %u, \"right\": %u, \"accuracy\": %.9g, \"loss\": %.9g, \"temperature\": %.9g, "
		    "\"threshold\": %.9g, \"refused\": %u,\n \"confusion\": [",
		    v->measure.n, v->measure.n_right, measure_accuracy(&v->measure), v->measure.loss,
		    (double)v->weights.calibration.temperature, (double)v->weights.calibration.threshold, r->n_refused);
	for (int label = 0; label < LENET5_DIGITS; label++) {
		text_printf(&t, "%s\n  [%u", label ? "," : "", v->confusion[label][0]);
		for (int answer = 1; answer < LENET5_DIGITS; answer++)
			text_printf(&t, ", %u", v->confusion[label][answer]);
		text_printf(&t, "]");
	}
	text_printf(&t, "],\n \"confidence\": [");
	for (int k = 0; k < N_CONFIDENCES; k++)
		text_printf(&t, "%s{\"up_to\": %g, \"right\": %u, \"wrong\": %u}", k ? ", " : "", confidences[k], r->right[k],
			    r->wrong[k]);
	text_printf(&t, "],\n \"mistakes\": [");
	for (uint32_t k = 0; k < r->n_mistakes; k++) {
		uint32_t i = r->mistakes[k];
		text_printf(&t, "%s\n  {\"picture\": %u, \"label\": %d, \"answer\": %d, \"confidence\": %.9g}", k ? "," : "", i,
			    v->test.labels[i], v->predictions[i].digit, (double)v->predictions[i].confidence);
	}
	text_printf(&t, "]}\n");
	return text_print(&t, stdout, e);
}

static int run(const struct program *program, const struct evaluation_choice *choice, const char *mistakes, bool json,
	       struct err *e)
{
	struct evaluation v = { 0 };
	struct report r = { 0 };
	int status = evaluation_run(program, choice, &v, e);
	if (!status)
		status = make_report(&v, &r, e);
	if (!status && mistakes)
		status = write_mistakes(mistakes, &v, &r, e);
	if (!status && json)
		status = print_json(&v, &r, e);
	else if (!status)
		print_text(&v, &r);
	free(r.mistakes);
	evaluation_fini(&v);
	return status;
}

int command_eval(const struct program *program, int argc, char **argv)
{
	struct evaluation_choice a = { .engine = { .device = "auto", .max_batch = MEASURE_BATCH },
				       .threads = options_default_threads() };
	const char *mistakes = NULL;
	bool json = false;
	const struct option options[] = {
		{ "model", "FILE", "weights file to read (the built-in model)", .text = &a.model },
		{ "network", "NAME", "network of a weights file that does not name it: sigmoid, relu or 1998", .text = &a.network },
		{ "data", "DIR", "folder of MNIST's files (data, else tests/data)", .text = &a.data },
		{ "mistakes", "DIR", "write each misread picture to DIR as a PNG", .text = &mistakes },
		{ "json", NULL, "print JSON, with every mistake", .flag = &json },
		{ "threads", "N", "number of threads (one per processor)", .count = &a.threads, .max = OPTIONS_MAX_THREADS },
		OPTIONS_ENGINE(a.engine),
	};
	static const char help[] = "Measures a network on MNIST's test set.";
	const struct usage usage = { "eval", "", help, options, sizeof options / sizeof options[0], 0, 0 };
	struct err e;
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	return run(program, &a, mistakes, json, &e) ? options_fail(&usage, &e) : 0;
}
