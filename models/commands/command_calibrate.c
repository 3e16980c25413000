// `lenet calibrate`: fits temperature and threshold to pictures that the network was not trained on: plain ones, and what is found in
// scenes composed of them. Neither depends on what the file held before, so a second run writes the same bytes.
#include "core/decimal.h"
#include "models/calibration.h"
#include "models/measure.h"
#include "models/commands/options.h"
#include "models/recipe.h"
#include "models/scenes.h"
#include "models/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_BINS = 15, N_SCENES = 5000, SCENES_SEED = 1, MAX_PICTURES = 1 << 20 };

struct arguments {
	const char *model, *network, *out, *data, *refuse_text, *refuse_scenes_text;
	struct engine_choice engine;
	int threads, scenes, from; // from −1: what the recipe held out
	float refuse, refuse_scenes; // shares
};

// Digits that were held out, digits found in scenes, and other things found there.
enum set { PLAIN, SCENES, OTHERS, N_SETS };

struct calibrate {
	struct weights w;
	struct idx all, found; // owned; found: held_out, and behind it what the scenes have
	struct idx held_out; // a view
	float *scores; // (found.n, 10)
	float *confidences; // (found.n)
	bool *right; // (found.n)
	struct lenet5_calibration fitted;
	uint32_t n[N_SETS], n_right[N_SETS], n_refused[N_SETS];
	double before[N_SETS], after[N_SETS]; // calibration errors
};

// The training pictures that the recipe in the file held out, or those from number `from` on.
static int choose_held_out(const struct arguments *a, struct calibrate *c, struct err *e)
{
	static const char what_to_do[] =
		"give --from N to calibrate on the training pictures from number N on, best on ones that it was "
		"not trained on";
	const char *text = weights_get(&c->w, "recipe");
	struct recipe recipe;
	struct idx train;
	if (a->from >= 0) {
		uint32_t from = (uint32_t)a->from;
		if (from >= c->all.n)
			return err_set(e, "--from %u: there are %u training pictures", from, c->all.n);
		c->held_out = (struct idx){ c->all.n - from, c->all.pixels + (size_t)from * LENET5_PIXELS, c->all.labels + from };
		return 0;
	}
	if (!text)
		return err_set(e, "%s: holds no recipe that says which training pictures were held out: %s", a->model, what_to_do);
	if (recipe_parse(text, a->model, (const char *const[RECIPE_N_FIELDS]){ NULL }, &recipe, e))
		return -1;
	if (recipe.validation == 0)
		return err_set(e, "%s: its recipe held no training pictures out: train with --validation 5000, or %s", a->model,
			       what_to_do);
	return train_split(&recipe, &c->all, &train, &c->held_out, e);
}

// Sorts what the scenes have, digits first, so that each set is one range. Scores are computed once, for all of them.
static void sort_found(struct calibrate *c)
{
	struct idx *f = &c->found;
	uint32_t first = c->held_out.n, n = first;
	uint8_t pixels[LENET5_PIXELS];
	for (uint32_t i = first; i < f->n; i++) {
		if (f->labels[i] >= LENET5_DIGITS)
			continue;
		uint8_t label = f->labels[i];
		memcpy(pixels, f->pixels + (size_t)i * LENET5_PIXELS, LENET5_PIXELS);
		memcpy(f->pixels + (size_t)i * LENET5_PIXELS, f->pixels + (size_t)n * LENET5_PIXELS, LENET5_PIXELS);
		memcpy(f->pixels + (size_t)n * LENET5_PIXELS, pixels, LENET5_PIXELS);
		f->labels[i] = f->labels[n];
		f->labels[n++] = label;
	}
	c->n[PLAIN] = first;
	c->n[SCENES] = n - first;
	c->n[OTHERS] = f->n - n;
}

static int compute_scores(const struct program *program, const struct arguments *a, struct calibrate *c, struct err *e)
{
	const struct weights *w = &c->w;
	const struct engine_network network = { w->net, w->mean, w->std, w->params };
	struct engine *engine = NULL;
	struct engine_context *context = NULL;
	size_t n = c->found.n;
	c->scores = malloc(n * LENET5_DIGITS * sizeof *c->scores);
	c->confidences = malloc(n * sizeof *c->confidences);
	c->right = malloc(n * sizeof *c->right);
	if (!c->scores || !c->confidences || !c->right)
		return err_set(e, "no memory for the scores of %zu pictures", n);
	if (options_open_engine(program, &a->engine, &engine, e))
		return -1;
	int status = engine_context_open(engine, MEASURE_BATCH, a->threads, &context, e);
	if (!status)
		status = measure_scores(context, &network, &c->found, c->scores, e);
	engine_context_close(context);
	engine_close(engine);
	return status;
}

// Fills in confidences and their errors under a calibration.
static int measure_errors(struct calibrate *c, float temperature, double errors[N_SETS], struct err *e)
{
	const struct calibration_scores all = { c->found.n, c->scores, c->found.labels };
	calibration_predict(c->w.net, temperature, &all, c->confidences, c->right);
	for (uint32_t set = 0, first = 0; set < N_SETS; first += c->n[set++])
		if (calibration_error(c->confidences + first, c->right + first, c->n[set], N_BINS, &errors[set], e))
			return -1;
	return 0;
}

static int fit(const struct arguments *a, struct calibrate *c, struct err *e)
{
	const struct calibration_scores all = { c->found.n, c->scores, c->found.labels };
	float of_scenes = 1;
	if (measure_errors(c, c->w.calibration.temperature, c->before, e) ||
	    calibration_fit(c->w.net, &all, &c->fitted.temperature, e) || measure_errors(c, c->fitted.temperature, c->after, e) ||
	    calibration_threshold(c->confidences, c->n[PLAIN], (double)a->refuse, &c->fitted.threshold, e) ||
	    (c->n[SCENES] &&
	     calibration_threshold(c->confidences + c->n[PLAIN], c->n[SCENES], (double)a->refuse_scenes, &of_scenes, e)))
		return -1;
	if (of_scenes < c->fitted.threshold)
		c->fitted.threshold = of_scenes;
	for (uint32_t set = 0, first = 0; set < N_SETS; first += c->n[set++])
		for (uint32_t i = first; i < first + c->n[set]; i++) {
			c->n_right[set] += c->right[i];
			c->n_refused[set] += c->confidences[i] < c->fitted.threshold;
		}
	return 0;
}

static double percent(uint32_t part, uint32_t n)
{
	return n ? 100.0 * part / n : 0;
}

static void print(const struct arguments *a, const struct calibrate *c, const char *dir)
{
	static const char *const names[] = { "held-out digits", "digits in scenes" };
	const struct lenet5_calibration *was = &c->w.calibration, *is = &c->fitted;
	printf("%s, on the training pictures of %s from number %u on, and %d scenes of them\n", a->model, dir,
	       c->all.n - c->held_out.n, a->scenes);
	printf("temperature %.6g (was %.6g)\nthreshold   %.6g (was %.6g)\n\n", (double)is->temperature, (double)was->temperature,
	       (double)is->threshold, (double)was->threshold);
	printf("%-18s%8s%12s%12s%20s%9s\n", "", "pictures", "read right", "refused", "calibration error", "before");
	for (int set = 0; set < OTHERS; set++)
		printf("%-18s%8u%10.2f %%%10.2f %%%20.5f%9.5f\n", names[set], c->n[set], percent(c->n_right[set], c->n[set]),
		       percent(c->n_refused[set], c->n[set]), c->after[set], c->before[set]);
	printf("%-18s%8u%12s%10.2f %%\n\n", "no digit", c->n[OTHERS], "", percent(c->n_refused[OTHERS], c->n[OTHERS]));
}

static int run(const struct program *program, const struct arguments *a, struct err *e)
{
	struct calibrate c = { 0 };
	const char *dir, *name;
	int status = -1;
	if (measure_model(a->model, a->network, &c.w, &name, e) || measure_data(a->data, IDX_TRAIN, &c.all, &dir, e) ||
	    choose_held_out(a, &c, e) ||
	    scenes_add(&c.held_out, (struct scenes_counts){ .scenes = (uint32_t)a->scenes }, SCENES_SEED, a->threads, &c.found, e))
		goto out;
	sort_found(&c);
	if (compute_scores(program, a, &c, e) || fit(a, &c, e))
		goto out;
	print(a, &c, dir);
	c.w.calibration = c.fitted;
	c.w.is_calibrated = true;
	status = weights_write(a->out, &c.w, e);
out:
	free(c.right);
	free(c.confidences);
	free(c.scores);
	idx_free(&c.found);
	idx_free(&c.all);
	weights_free(&c.w);
	return status;
}

int command_calibrate(const struct program *program, int argc, char **argv)
{
	struct arguments a = { .engine = { .device = "auto", .max_batch = MEASURE_BATCH },
			       .threads = options_default_threads(),
			       .scenes = N_SCENES,
			       .from = -1,
			       .refuse = 0.005f,
			       .refuse_scenes = 0.01f };
	const struct option options[] = {
		{ "o", "OUT.bin", "weights file to write (MODEL.bin itself)", .text = &a.out },
		{ "network", "NAME", "network of a weights file that does not name it: sigmoid, relu or 1998", .text = &a.network },
		{ "data", "DIR", "folder of MNIST's files (data)", .text = &a.data },
		{ "from", "N", "calibrate on training pictures from number N on (those held out)", .count = &a.from,
		  .max = MAX_PICTURES, .zero = true },
		{ "scenes", "N", "number of scenes to compose; 0: plain pictures only (5000)", .count = &a.scenes,
		  .max = MAX_PICTURES, .zero = true },
		{ "refuse", "R", "share of the held-out digits that may be refused (0.005)", .text = &a.refuse_text },
		{ "refuse-scenes", "R", "share of the digits in scenes that may be refused (0.01)", .text = &a.refuse_scenes_text },
		{ "threads", "N", "number of threads (one per processor)", .count = &a.threads, .max = OPTIONS_MAX_THREADS },
		OPTIONS_ENGINE(a.engine),
	};
	static const char help[] =
		"Fits how sure a network has to be, and writes it to its weights file: the temperature that makes its confidence "
		"a\n"
		"probability, and the threshold below which a picture is refused: the largest one that refuses no more than the\n"
		"given shares of the digits. It is fitted on training pictures that the recipe held out (validation).";
	const struct usage usage = { "calibrate", "MODEL.bin", help, options, sizeof options / sizeof options[0], 1, 1 };
	struct err e;
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	if ((a.refuse_text && !decimal_parse(a.refuse_text, 0, 1, &a.refuse)) ||
	    (a.refuse_scenes_text && !decimal_parse(a.refuse_scenes_text, 0, 1, &a.refuse_scenes)))
		return options_wrong(&usage, "--refuse and --refuse-scenes want a share from 0 to 1, as 0.005");
	a.model = argv[0];
	if (!a.out)
		a.out = a.model;
	if (run(program, &a, &e))
		return options_fail(&usage, &e);
	printf("wrote %s\n", a.out);
	return 0;
}
