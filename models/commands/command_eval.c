// `lenet eval`: accuracy, loss, the confusion matrix, what confidence is worth, and the mistakes that the network was surest of.
#include "core/file.h"
#include "core/image.h"
#include "core/text.h"
#include "models/commands/command.h"
#include "models/measure.h"
#include "models/commands/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SHOWN_MISTAKES = 10 };

// Answers are counted by their confidence: up to the first of these, more than that up to the second, and so on.
static const double confidences[] = { 0.2, 0.5, 0.9, 0.99, 1 };
enum { N_CONFIDENCES = sizeof confidences / sizeof confidences[0] };

struct evaluation {
	const char *model, *dir;
	struct measure measure;
	uint32_t confusion[LENET5_DIGITS][LENET5_DIGITS]; // [label][answer]
	uint32_t right[N_CONFIDENCES], wrong[N_CONFIDENCES];
	uint32_t n_mistakes, *mistakes; // indices, the surest first
};

// qsort passes nothing on, qsort_r does; of equally sure ones the first comes first.
static int surer_first(const void *a, const void *b, void *predictions)
{
	const struct lenet5_prediction *p = predictions;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	if (p[i].confidence != p[j].confidence)
		return p[i].confidence > p[j].confidence ? -1 : 1;
	return i < j ? -1 : i > j;
}

static int evaluate(struct engine *engine, const struct weights *w, const struct idx *test, int n_threads,
		    struct lenet5_prediction *predictions, struct evaluation *v, struct err *e)
{
	const struct engine_network network = { w->net, w->mean, w->std, w->params };
	if (measure_network(engine, &network, test, n_threads, predictions, &v->measure, e))
		return -1;
	for (uint32_t i = 0; i < test->n; i++) {
		int k = 0;
		while (k < N_CONFIDENCES - 1 && (double)predictions[i].confidence > confidences[k])
			k++;
		(predictions[i].digit == test->labels[i] ? v->right : v->wrong)[k]++;
		v->confusion[test->labels[i]][predictions[i].digit]++;
		if (predictions[i].digit != test->labels[i])
			v->mistakes[v->n_mistakes++] = i;
	}
	qsort_r(v->mistakes, v->n_mistakes, sizeof *v->mistakes, surer_first, predictions);
	return 0;
}

static int write_mistakes(const char *dir, const struct evaluation *v, const struct idx *test,
			  const struct lenet5_prediction *predictions, struct err *e)
{
	if (mkdir(dir, 0777) && errno != EEXIST)
		return err_errno(e, "%s", dir);
	for (uint32_t k = 0; k < v->n_mistakes; k++) {
		uint32_t i = v->mistakes[k];
		char path[4096];
		uint8_t *bytes;
		size_t n;
		struct image image = { LENET5_SIDE, LENET5_SIDE, test->pixels + (size_t)i * LENET5_PIXELS };
		if (snprintf(path, sizeof path, "%s/%05u-is-%d-read-%d.png", dir, i, test->labels[i], predictions[i].digit) >=
		    (int)sizeof path)
			return err_set(e, "%.40s...: too long a name", dir);
		if (image_write_png(&image, &bytes, &n, e))
			return err_prefix(e, "%s", path);
		int status = file_write(path, bytes, n, e);
		free(bytes);
		if (status)
			return -1;
	}
	return 0;
}

static void print_text(const struct evaluation *v, const struct idx *test, const struct lenet5_prediction *predictions)
{
	const struct measure *m = &v->measure;
	printf("%s on the %u test pictures of %s:\n", v->model, m->n, v->dir);
	printf("accuracy %.2f %% (%u right, %u wrong), loss %.5f\n\n", 100 * measure_accuracy(m), m->n_right, m->n - m->n_right,
	       m->loss);
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
			printf("%9u", (wrong ? v->wrong : v->right)[k]);
		putchar('\n');
	}
	uint32_t n = v->n_mistakes < SHOWN_MISTAKES ? v->n_mistakes : SHOWN_MISTAKES;
	printf("\n%s", n ? "worst mistakes:\npicture  label  answer  confidence\n" : "no mistake\n");
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = v->mistakes[k];
		printf("%7u  %5d  %6d  %8.2f %%\n", i, test->labels[i], predictions[i].digit,
		       100 * (double)predictions[i].confidence);
	}
}

static int print_json(const struct evaluation *v, const struct idx *test, const struct lenet5_prediction *predictions,
		      struct err *e)
{
	struct text t = { 0 };
	text_printf(&t, "{\"model\": ");
	text_quote(&t, v->model);
	text_printf(&t, ", \"data\": ");
	text_quote(&t, v->dir);
	text_printf(&t, ", \"pictures\": %u, \"right\": %u, \"accuracy\": %.9g, \"loss\": %.9g,\n \"confusion\": [", v->measure.n,
		    v->measure.n_right, measure_accuracy(&v->measure), v->measure.loss);
	for (int label = 0; label < LENET5_DIGITS; label++) {
		text_printf(&t, "%s\n  [%u", label ? "," : "", v->confusion[label][0]);
		for (int answer = 1; answer < LENET5_DIGITS; answer++)
			text_printf(&t, ", %u", v->confusion[label][answer]);
		text_printf(&t, "]");
	}
	text_printf(&t, "],\n \"confidence\": [");
	for (int k = 0; k < N_CONFIDENCES; k++)
		text_printf(&t, "%s{\"up_to\": %g, \"right\": %u, \"wrong\": %u}", k ? ", " : "", confidences[k], v->right[k],
			    v->wrong[k]);
	text_printf(&t, "],\n \"mistakes\": [");
	for (uint32_t k = 0; k < v->n_mistakes; k++) {
		uint32_t i = v->mistakes[k];
		text_printf(&t, "%s\n  {\"picture\": %u, \"label\": %d, \"answer\": %d, \"confidence\": %.9g}", k ? "," : "", i,
			    test->labels[i], predictions[i].digit, (double)predictions[i].confidence);
	}
	text_printf(&t, "]}\n");
	return text_print(&t, stdout, e);
}

struct arguments {
	const char *model, *network, *data, *mistakes;
	struct engine_choice engine;
	int threads;
	bool json;
};

static int run(const struct program *program, const struct arguments *a, struct err *e)
{
	int status = -1;
	struct evaluation v = { 0 };
	struct weights weights = { 0 };
	struct idx test = { 0 };
	struct engine *engine = NULL;
	struct lenet5_prediction *predictions = NULL;
	if (measure_model(a->model, a->network, &weights, &v.model, e) || measure_data(a->data, IDX_TEST, &test, &v.dir, e) ||
	    options_open_engine(program, &a->engine, &engine, e))
		goto out;
	predictions = malloc(test.n * sizeof *predictions);
	v.mistakes = malloc(test.n * sizeof *v.mistakes);
	if (!predictions || !v.mistakes) {
		err_set(e, "out of memory");
		goto out;
	}
	if (evaluate(engine, &weights, &test, a->threads, predictions, &v, e))
		goto out;
	if (a->mistakes && write_mistakes(a->mistakes, &v, &test, predictions, e))
		goto out;
	status = 0;
	if (a->json)
		status = print_json(&v, &test, predictions, e);
	else
		print_text(&v, &test, predictions);
out:
	free(v.mistakes);
	free(predictions);
	engine_close(engine);
	idx_free(&test);
	weights_free(&weights);
	return status;
}

int command_eval(const struct program *program, int argc, char **argv)
{
	struct arguments a = { .engine = { .device = "auto", .max_batch = MEASURE_BATCH }, .threads = options_default_threads() };
	const struct option options[] = {
		{ "model", "FILE", "a weights file (the built-in model)", .text = &a.model },
		{ "network", "NAME", "the network, where the file does not say", .text = &a.network },
		{ "data", "DIR", "where MNIST's files are (data, else tests/data)", .text = &a.data },
		{ "mistakes", "DIR", "write every mistake there as a PNG", .text = &a.mistakes },
		{ "json", NULL, "print JSON, with every mistake", .flag = &a.json },
		{ "threads", "N", "at most so many (one a processor)", .count = &a.threads, .max = OPTIONS_MAX_THREADS },
		OPTIONS_ENGINE(a.engine),
	};
	const struct usage usage = { "eval", "", "\nMeasures a network on MNIST's test set.", options,
				     sizeof options / sizeof options[0] };
	int status;
	struct err e;
	if (!options_parse(&usage, &argc, argv, &status))
		return status;
	if (argc)
		return options_wrong(&usage, "what is \"%s\"? A model is named by --model", argv[0]);
	return run(program, &a, &e) ? options_fail(&usage, &e) : 0;
}
