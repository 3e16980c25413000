// A picture goes the way of one that is handed in: its candidates, the CPU engine, and the verdict with the model's calibration, and then
// with other thresholds. The pictures of a row are dealt out to threads, each with its own context and fonts, and their counts are added.
#include "tests/pictures/table.h"

#include "core/builtin.h"
#include "core/picture/verdict.h"
#include "kernels/cpu/cpu.h"
#include "tests/pictures/hard.h"
#include "tests/pictures/nondigits.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 64, N_THRESHOLDS = 9, MNIST = -1 };

static const float thresholds[N_THRESHOLDS] = { 0, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f, 0.9f, 0.95f };

struct counts {
	uint32_t n, right, wrong, sure_and_wrong, refused, sure;
	uint32_t wrong_at[N_THRESHOLDS], refused_at[N_THRESHOLDS];
};

struct worker {
	const struct table_options *o;
	const struct idx *data;
	const struct engine_model *model;
	struct lenet5_calibration calibration;
	struct engine_context *context;
	struct glyphs *glyphs;
	int row, index; // row: a condition, then a kind of what is no digit; or MNIST, the digits as they are
	struct counts counts;
	int status;
	struct err err;
};

static const uint8_t *digit(const struct worker *w, uint32_t i)
{
	return w->data->pixels + (size_t)((w->o->from + i) % w->data->n) * LENET5_PIXELS;
}

static int read_picture(struct worker *w, const struct image *image, int label)
{
	struct candidates c;
	float scores[CANDIDATES_MAX * LENET5_DIGITS];
	struct lenet5_prediction predictions[CANDIDATES_MAX];
	if (candidates_find(image, &c, &w->err) ||
	    (c.n > 0 && engine_forward_pixels(w->context, w->model, c.pixels[0], c.n, scores, &w->err)))
		return -1;
	for (int i = 0; i < c.n; i++)
		predictions[i] = lenet5_predict(w->model->net, w->calibration.temperature, scores + i * LENET5_DIGITS);
	struct verdict v = verdict_of(c.at, c.n, predictions, w->calibration.threshold);
	bool refused = v.reason != VERDICT_DIGIT, right = !refused && v.prediction.digit == label;
	bool sure = !refused && v.prediction.confidence > 0.9f;
	w->counts.n++;
	w->counts.refused += refused;
	w->counts.right += right;
	w->counts.wrong += !refused && !right;
	w->counts.sure += sure;
	w->counts.sure_and_wrong += sure && !right;
	for (int k = 0; k < N_THRESHOLDS; k++) {
		v = verdict_of(c.at, c.n, predictions, thresholds[k]);
		w->counts.refused_at[k] += v.reason != VERDICT_DIGIT;
		w->counts.wrong_at[k] += v.reason == VERDICT_DIGIT && v.prediction.digit != label;
	}
	return 0;
}

// The picture in MNIST's own form.
static int copy_digit(const uint8_t *pixels, struct image *image, struct err *e)
{
	*image = (struct image){ LENET5_SIDE, LENET5_SIDE, malloc(LENET5_PIXELS) };
	if (!image->pixels)
		return err_set(e, "no memory for a picture");
	memcpy(image->pixels, pixels, LENET5_PIXELS);
	return 0;
}

static int make(struct worker *w, uint32_t i, struct image *image)
{
	const uint64_t seed = w->o->seed + (uint64_t)i;
	if (w->row == MNIST)
		return copy_digit(digit(w, i), image, &w->err);
	if (w->row < HARD_CONDITIONS)
		return hard_make(w->row, seed, digit(w, i), image, &w->err);
	return nondigit_make(w->row - HARD_CONDITIONS, seed, w->glyphs, digit(w, i), digit(w, i + 1), image, &w->err);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint32_t n = w->o->n, threads = (uint32_t)w->o->n_threads;
	w->counts = (struct counts){ 0 };
	for (uint32_t i = (uint32_t)w->index; i < n && !w->status; i += threads) {
		struct image image = { 0 };
		int label = w->data->labels[(w->o->from + i) % w->data->n];
		w->status = make(w, i, &image) || read_picture(w, &image, label) ? -1 : 0;
		image_free(&image);
	}
	return NULL;
}

static void add(struct counts *to, const struct counts *from)
{
	to->n += from->n, to->right += from->right, to->wrong += from->wrong, to->refused += from->refused;
	to->sure += from->sure, to->sure_and_wrong += from->sure_and_wrong;
	for (int k = 0; k < N_THRESHOLDS; k++)
		to->wrong_at[k] += from->wrong_at[k], to->refused_at[k] += from->refused_at[k];
}

static int count_row(struct worker *workers, int n_threads, int row, struct counts *counts, struct err *e)
{
	pthread_t threads[MAX_THREADS];
	bool started[MAX_THREADS];
	*counts = (struct counts){ 0 };
	for (int t = n_threads - 1; t >= 0; t--) {
		workers[t].row = row;
		started[t] = t > 0 && pthread_create(&threads[t], NULL, work, &workers[t]) == 0;
		if (!started[t])
			work(&workers[t]);
	}
	for (int t = 0; t < n_threads; t++) {
		if (started[t])
			pthread_join(threads[t], NULL);
		add(counts, &workers[t].counts);
		if (workers[t].status) {
			*e = workers[t].err;
			return -1;
		}
	}
	return 0;
}

static double percent(uint32_t part, uint32_t n)
{
	return n ? 100.0 * part / n : 0;
}

static void print_condition(FILE *to, const char *name, const char *about, const struct counts *c)
{
	fprintf(to, "| %s | %s | %.1f | %.1f | %.1f | %.1f |\n", name, about, percent(c->right, c->n), percent(c->wrong, c->n),
		percent(c->sure_and_wrong, c->n), percent(c->refused, c->n));
	fflush(to);
}

// What is no digit, by how much it has of one.
enum group { LOOK_ALIKES, SIGNS, DRAWINGS, NOTHING, PAIRS, N_GROUPS };

static enum group group_of(int kind)
{
	static const char *const names[][5] = {
		[LOOK_ALIKES] = { "look-alike" },
		[SIGNS] = { "letter", "greek", "sign", "word" },
		[DRAWINGS] = { "scribble", "stroke", "dots", "figure" },
		[NOTHING] = { "blank", "texture", "noise" },
	};
	for (int g = 0; g < PAIRS; g++)
		for (int i = 0; i < 5 && names[g][i]; i++)
			if (strcmp(names[g][i], nondigit_name(kind)) == 0)
				return g;
	return PAIRS;
}

static void print_thresholds(FILE *to, const struct counts *mnist, const struct counts *hard, const struct counts groups[N_GROUPS])
{
	fprintf(to, "\n| threshold | MNIST refused, %% | wrong, %% | hard refused, %% | wrong, %% | look-alikes refused, %% | "
		    "signs, %% | "
		    "drawings, %% | nothing, %% | pairs, %% |\n| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n");
	for (int k = 0; k < N_THRESHOLDS; k++) {
		fprintf(to, "| %.2f | %.2f | %.2f | %.2f | %.2f |", (double)thresholds[k], percent(mnist->refused_at[k], mnist->n),
			percent(mnist->wrong_at[k], mnist->n), percent(hard->refused_at[k], hard->n),
			percent(hard->wrong_at[k], hard->n));
		for (int g = 0; g < N_GROUPS; g++)
			fprintf(to, " %.1f |", percent(groups[g].refused_at[k], groups[g].n));
		fprintf(to, "\n");
	}
}

static int print_rows(struct worker *workers, int n_threads, FILE *to, struct err *e)
{
	struct counts c, mnist, all = { 0 }, groups[N_GROUPS] = { 0 };
	fprintf(to, "| condition | what it is | right, %% | wrong, %% | wrong and above 0.9, %% | refused, %% |\n"
		    "| --- | --- | --: | --: | --: | --: |\n");
	for (int row = 0; row < HARD_CONDITIONS; row++) {
		if (count_row(workers, n_threads, row, &c, e))
			return -1;
		print_condition(to, hard_name(row), hard_about(row), &c);
		add(&all, &c);
	}
	print_condition(to, "all", "", &all);
	fprintf(to, "\n| no digit | what it is | read as a digit, %% | so and above 0.9, %% |\n| --- | --- | --: | --: |\n");
	for (int kind = 0; kind < NONDIGIT_KINDS; kind++) {
		if (count_row(workers, n_threads, HARD_CONDITIONS + kind, &c, e))
			return -1;
		fprintf(to, "| %s | %s | %.1f | %.1f |\n", nondigit_name(kind), nondigit_about(kind), percent(c.n - c.refused, c.n),
			percent(c.sure, c.n));
		fflush(to);
		add(&groups[group_of(kind)], &c);
	}
	if (count_row(workers, n_threads, MNIST, &mnist, e))
		return -1;
	print_thresholds(to, &mnist, &all, groups);
	return 0;
}

int table_print(const struct table_options *options, const struct idx *data, FILE *to, struct err *e)
{
	struct worker workers[MAX_THREADS] = { 0 };
	struct table_options o = *options;
	struct weights w = { 0 };
	struct engine *engine = NULL;
	struct engine_model *model = NULL;
	int status = -1;
	o.n_threads = o.n_threads < 1 ? 1 : o.n_threads > MAX_THREADS ? MAX_THREADS : o.n_threads;
	if (o.model ? weights_read(o.model, NULL, &w, e) : builtin_read(&w, e))
		goto out;
	struct engine_network network = { w.net, w.mean, w.std, w.params };
	if (cpu_engine_open(NULL, &engine, e) || engine_model_new(engine, &network, &model, e))
		goto out;
	for (int t = 0; t < o.n_threads; t++) {
		struct worker *at = &workers[t];
		*at = (struct worker){ .o = &o, .data = data, .model = model, .calibration = w.calibration, .index = t };
		if (engine_context_open(engine, CANDIDATES_MAX, 1, &at->context, e) || glyphs_open(o.fonts, &at->glyphs, e))
			goto out;
	}
	status = print_rows(workers, o.n_threads, to, e);
out:
	for (int t = 0; t < MAX_THREADS; t++) {
		engine_context_close(workers[t].context);
		glyphs_close(workers[t].glyphs);
	}
	engine_model_unref(model);
	engine_close(engine);
	weights_free(&w);
	return status;
}
