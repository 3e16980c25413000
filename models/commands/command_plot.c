// `lenet plot`: which picture, of what, and where to; models/chart.c draws them.
#include "models/chart.h"
#include "models/commands/command.h"
#include "models/measure.h"
#include "models/commands/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"\nDraws, as NAME.svg or NAME.png:\n"
	"  loss        the first epoch's loss of one run or several\n"
	"  epochs      loss and accuracy after every epoch, of one run or several\n"
	"  confusion   which digits a weights file (or the built-in model) takes for which, on the test set\n"
	"  kernels     its C1: six filters of 5x5 weights\n"
	"A run is named by its weights file, as `lenet train -o` was given it; the legend says what its recipe has of its own.";

struct arguments {
	const char *out, *title, *network, *data;
	struct engine_choice engine;
	int smooth, threads;
};

static int count_answers(const struct program *program, const struct arguments *a, const struct weights *w,
			 uint32_t counts[LENET5_DIGITS][LENET5_DIGITS], struct err *e)
{
	int status = -1;
	struct idx test = { 0 };
	struct engine *engine = NULL;
	struct lenet5_prediction *predictions = NULL;
	struct measure measure;
	const struct engine_network network = { w->net, w->mean, w->std, w->params };
	const char *dir;
	if (measure_data(a->data, IDX_TEST, &test, &dir, e) || options_open_engine(program, &a->engine, &engine, e))
		goto out;
	predictions = malloc(test.n * sizeof *predictions);
	if (!predictions) {
		err_set(e, "out of memory");
		goto out;
	}
	if (measure_network(engine, &network, &test, a->threads, predictions, &measure, e))
		goto out;
	for (uint32_t i = 0; i < test.n; i++)
		counts[test.labels[i]][predictions[i].digit]++;
	status = 0;
out:
	free(predictions);
	engine_close(engine);
	idx_free(&test);
	return status;
}

static int plot_model(const struct program *program, const struct arguments *a, const char *path, bool kernels, struct err *e)
{
	const struct chart chart = { a->out, a->title };
	uint32_t counts[LENET5_DIGITS][LENET5_DIGITS] = { { 0 } };
	struct weights w = { 0 };
	const char *name;
	if (measure_model(path, a->network, &w, &name, e))
		return -1;
	int status = 0;
	if (kernels)
		status = chart_kernels(&chart, w.params + w.net->tensors[LENET5_C1_WEIGHT].offset, e);
	else if (count_answers(program, a, &w, counts, e))
		status = -1;
	else
		status = chart_confusion(&chart, counts, e);
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
	struct arguments a = { .engine = { .device = "auto", .max_batch = MEASURE_BATCH },
			       .smooth = 1280,
			       .threads = options_default_threads() };
	const struct option options[] = {
		{ "o", "FILE", "the picture: FILE.svg or FILE.png (KIND.svg)", .text = &a.out },
		{ "title", "TEXT", "above it", .text = &a.title },
		{ "smooth", "N", "loss: the mean of so many pictures is a point (1280)", .count = &a.smooth, .max = 1000000 },
		{ "network", "NAME", "the network, where a weights file does not say", .text = &a.network },
		{ "data", "DIR", "where MNIST's files are (data, else tests/data)", .text = &a.data },
		{ "threads", "N", "at most so many (one a processor)", .count = &a.threads, .max = OPTIONS_MAX_THREADS },
		OPTIONS_ENGINE(a.engine),
	};
	const struct usage usage = { "plot", "KIND FILE.bin...", help, options, sizeof options / sizeof options[0] };
	int status;
	struct err e;
	if (!options_parse(&usage, &argc, argv, &status))
		return status;
	const char *kind = argc ? argv[0] : "";
	bool loss = strcmp(kind, "loss") == 0, kernels = strcmp(kind, "kernels") == 0;
	bool of_runs = loss || strcmp(kind, "epochs") == 0;
	if (!of_runs && !kernels && strcmp(kind, "confusion") != 0)
		return options_wrong(&usage, "which picture? loss, epochs, confusion or kernels");
	if (of_runs && argc < 2)
		return options_wrong(&usage, "of which run? Name the weights file that `lenet train -o` was given");
	if (argc - 1 > (of_runs ? CHART_MAX_RUNS : 1))
		return options_wrong(&usage, "%s: at most %d at a time", kind, of_runs ? CHART_MAX_RUNS : 1);
	char out[32];
	if (!a.out) {
		snprintf(out, sizeof out, "%s.svg", kind);
		a.out = out;
	}
	if (of_runs)
		status = plot_runs(&a, (const char *const *)argv + 1, argc - 1, loss, &e);
	else
		status = plot_model(program, &a, argc > 1 ? argv[1] : NULL, kernels, &e);
	if (status)
		return options_fail(&usage, &e);
	printf("wrote %s\n", a.out);
	return 0;
}
