// `lenet plot`: reads what a chart needs; models/chart.c draws it.
#include "models/chart.h"
#include "models/commands/evaluation.h"
#include "models/commands/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Draws one KIND of chart:\n"
	"  loss        training loss in the first epoch, of one or more runs\n"
	"  epochs      loss and accuracy after every epoch, of one or more runs\n"
	"  confusion   how often a model takes each digit for each other one, on the test set\n"
	"  kernels     a model's C1: six filters of 5x5 weights\n"
	"FILE.bin of a run is what `lenet train -o` was given; the legend shows how the recipes differ. Without FILE.bin,\n"
	"confusion and kernels show the built-in model.";

struct arguments {
	const char *out, *title;
	struct evaluation_choice evaluation;
	int smooth;
};

static int plot_confusion(const struct program *program, const struct arguments *a, struct err *e)
{
	const struct chart chart = { a->out, a->title };
	uint32_t counts[LENET5_DIGITS][LENET5_DIGITS] = { { 0 } };
	struct evaluation v = { 0 };
	int status = evaluation_run(program, &a->evaluation, &v, e);
	for (uint32_t i = 0; i < v.test.n && !status; i++)
		counts[v.test.labels[i]][v.predictions[i].digit]++;
	if (!status)
		status = chart_confusion(&chart, counts, e);
	evaluation_fini(&v);
	return status;
}

static int plot_kernels(const struct arguments *a, struct err *e)
{
	const struct chart chart = { a->out, a->title };
	struct weights w = { 0 };
	const char *name;
	if (measure_model(a->evaluation.model, a->evaluation.network, &w, &name, e))
		return -1;
	int status = chart_kernels(&chart, w.params + w.net->tensors[LENET5_C1_WEIGHT].offset, e);
	weights_free(&w);
	return status;
}

static int plot_runs(const struct arguments *a, const char *const runs[], int n, bool loss, struct err *e)
{
	const struct chart chart = { a->out, a->title };
	struct curve *curves = calloc((size_t)n, sizeof *curves);
	if (!curves)
		return err_set(e, "out of memory");
	int status = curves_read(runs, n, curves, e);
	if (!status && loss)
		status = chart_loss(&chart, curves, n, (uint32_t)a->smooth, e);
	else if (!status)
		status = chart_epochs(&chart, curves, n, e);
	curves_free(curves, n);
	free(curves);
	return status;
}

int command_plot(const struct program *program, int argc, char **argv)
{
	struct arguments a = { .smooth = 1280 };
	struct evaluation_choice *v = &a.evaluation;
	*v = (struct evaluation_choice){ .engine = { "auto", .max_batch = MEASURE_BATCH }, .threads = options_default_threads() };
	const struct option options[] = {
		{ "o", "FILE", "picture to write: FILE.svg or FILE.png (KIND.svg)", .text = &a.out },
		{ "title", "TEXT", "title above the chart (none)", .text = &a.title },
		{ "smooth", "N", "loss: average N pictures into a point (1280)", .count = &a.smooth, .max = 1000000 },
		{ "network", "NAME", "network of a weights file that does not name it: sigmoid, relu or 1998",
		  .text = &v->network },
		{ "data", "DIR", "folder of MNIST's files (data, else tests/data)", .text = &v->data },
		{ "threads", "N", "number of threads (one per processor)", .count = &v->threads, .max = OPTIONS_MAX_THREADS },
		OPTIONS_ENGINE(v->engine),
	};
	const struct usage usage = { "plot", "KIND FILE.bin...", help, options, sizeof options / sizeof options[0],
				     1,      1 + CHART_MAX_RUNS };
	struct err e;
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	const char *kind = argv[0];
	bool loss = strcmp(kind, "loss") == 0, kernels = strcmp(kind, "kernels") == 0;
	bool of_runs = loss || strcmp(kind, "epochs") == 0;
	if (!of_runs && !kernels && strcmp(kind, "confusion") != 0)
		return options_wrong(&usage, "no chart is called \"%s\"; choose loss, epochs, confusion or kernels", kind);
	if (of_runs && argc < 2)
		return options_wrong(&usage, "%s needs the weights file of a run, as given to `lenet train -o`", kind);
	if (!of_runs && argc > 2)
		return options_wrong(&usage, "%s takes one weights file", kind);
	v->model = argc > 1 ? argv[1] : NULL;
	char out[32];
	if (!a.out) {
		snprintf(out, sizeof out, "%s.svg", kind);
		a.out = out;
	}
	if (of_runs)
		status = plot_runs(&a, (const char *const *)argv + 1, argc - 1, loss, &e);
	else
		status = kernels ? plot_kernels(&a, &e) : plot_confusion(program, &a, &e);
	if (status)
		return options_fail(&usage, &e);
	printf("wrote %s\n", a.out);
	return 0;
}
