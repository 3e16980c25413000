// `lenet bench`: measures the time per picture, forward or in training, and compares it with the machine's arithmetic peak.
// Each round makes the same number of calls, about 50 ms of them; the figure is the median of the rounds, so that one disturbed round
// does not change it. Pictures are noise and parameters untrained: the amount of work does not depend on them.
#include "core/rng.h"
#include "models/commands/command.h"
#include "models/commands/options.h"
#include "models/progress.h"
#include "models/sweep_table.h"
#include "models/work.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROUNDS = 21, N_PICTURES = 1024, MAX_BATCH = 65536 };

struct bench {
	const struct lenet5 *net;
	struct engine *engine;
	int batch, n_threads;
	float *params; // (n_params)
	uint8_t *pixels, *labels; // (n, 28, 28), (n)
	uint32_t *order; // (n)
	uint32_t n; // N_PICTURES, or one batch
	float *scores; // (batch, 10)
	float *rates, *losses; // (n / batch, rounded up)
	struct engine_model *model;
	struct engine_context *context;
	struct engine_trainer *trainer;
	int (*call)(struct bench *, struct err *); // one call of the engine
	uint32_t pictures; // in one call
};

static int call_forward(struct bench *b, struct err *e)
{
	const uint8_t *pixels = engine_context_pixels(b->context);
	if (pixels)
		return engine_forward_pixels(b->context, b->model, pixels, b->batch, b->scores, e);
	return engine_forward(b->context, b->model, engine_context_ink(b->context), b->batch, b->scores, e);
}

static int call_steps(struct bench *b, struct err *e)
{
	return engine_trainer_steps(b->trainer, b->order, b->n, b->rates, b->losses, e);
}

static int allocate(struct bench *b, struct err *e)
{
	size_t batch = (size_t)b->batch;
	b->n = batch > N_PICTURES ? (uint32_t)batch : N_PICTURES;
	b->params = malloc(b->net->n_params * sizeof *b->params);
	b->pixels = malloc((size_t)b->n * LENET5_PIXELS);
	b->labels = malloc(b->n);
	b->order = malloc(b->n * sizeof *b->order);
	b->scores = malloc(batch * LENET5_DIGITS * sizeof *b->scores);
	b->rates = calloc(b->n, sizeof *b->rates);
	b->losses = malloc(b->n * sizeof *b->losses);
	if (!b->params || !b->pixels || !b->labels || !b->order || !b->scores || !b->rates || !b->losses)
		return err_set(e, "out of memory");
	return 0;
}

static void fill(struct bench *b)
{
	struct rng rng;
	rng_init(&rng, 1);
	lenet5_init(b->net, &rng, b->params);
	for (uint32_t i = 0; i < b->n; i++) {
		for (int k = 0; k < LENET5_PIXELS; k++)
			b->pixels[(size_t)i * LENET5_PIXELS + (size_t)k] = (uint8_t)rng_next(&rng);
		b->labels[i] = (uint8_t)rng_below(&rng, LENET5_DIGITS);
		b->order[i] = i;
	}
}

static int set_up(struct bench *b, bool train, struct err *e)
{
	if (allocate(b, e))
		return -1;
	fill(b);
	const struct engine_network network = { b->net, b->net->mean, b->net->std, b->params };
	if (!train) {
		b->call = call_forward;
		b->pictures = (uint32_t)b->batch;
		if (engine_model_new(b->engine, &network, &b->model, e))
			return -1;
		if (engine_context_open(b->engine, b->batch, b->n_threads, &b->context, e))
			return -1;
		size_t n = (size_t)b->batch * LENET5_PIXELS;
		if (engine_context_pixels(b->context))
			memcpy(engine_context_pixels(b->context), b->pixels, n);
		else
			engine_ink_from_pixels(b->pixels, n, engine_context_ink(b->context));
		return 0;
	}
	b->call = call_steps; // with rates of 0: the same work, and the parameters stay finite
	b->pictures = b->n;
	const struct engine_training training = {
		.start = network,
		.loss = b->net->output == LENET5_PENALTIES ? ENGINE_MAP : ENGINE_CROSS_ENTROPY,
		.batch = b->batch,
		.n_threads = b->n_threads,
		.momentum_rate = 0.9f,
	};
	if (engine_trainer_open(b->engine, &training, &b->trainer, e))
		return -1;
	return engine_trainer_data(b->trainer, b->pixels, b->labels, b->n, e);
}

static void tear_down(struct bench *b)
{
	engine_trainer_close(b->trainer);
	engine_context_close(b->context);
	engine_model_unref(b->model);
	free(b->losses);
	free(b->rates);
	free(b->scores);
	free(b->order);
	free(b->labels);
	free(b->pixels);
	free(b->params);
}

static int time_calls(struct bench *b, int n, double *seconds, struct err *e)
{
	double start = progress_now();
	for (int i = 0; i < n; i++)
		if (b->call(b, e))
			return -1;
	*seconds = progress_now() - start;
	return 0;
}

static int measure(struct bench *b, double *us_per_image, struct err *e)
{
	double rounds[N_ROUNDS], seconds = 0;
	int n = 1;
	if (time_calls(b, 1, &seconds, e)) // warm up
		return -1;
	while (time_calls(b, n, &seconds, e) == 0 && seconds < 0.05 && n < 1 << 24)
		n *= 2;
	for (int i = 0; i < N_ROUNDS; i++)
		if (time_calls(b, n, &rounds[i], e))
			return -1;
	*us_per_image = summary_of(rounds, N_ROUNDS).median * 1e6 / n / b->pictures;
	return 0;
}

static void print(const struct bench *b, bool train, bool json, double us)
{
	double flop = train ? work_training(b->net) : work_forward(b->net);
	double peak = engine_peak(b->engine, b->n_threads);
	double share = flop / (us * 1e-6) / peak;
	if (json) {
		printf("{\"work\": \"%s\", \"network\": \"%s\", \"engine\": \"%s\", \"batch\": %d, \"threads\": %d, "
		       "\"us_per_image\": %.6g, \"images_per_s\": %.6g, \"mflop_per_image\": %.6g, \"peak_gflops\": %.6g, "
		       "\"peak_share\": %.6g}\n",
		       train ? "train" : "forward", b->net->name, b->engine->name, b->batch, b->n_threads, us, 1e6 / us, flop / 1e6,
		       peak / 1e9, share);
		return;
	}
	printf("%s, network %s, batch %d, %s, %d thread%s\n", train ? "training" : "forward", b->net->name, b->batch,
	       b->engine->name, b->n_threads, b->n_threads > 1 ? "s" : "");
	printf("%.2f us a picture (median of %d rounds), %.0f pictures/s\n", us, N_ROUNDS, 1e6 / us);
	printf("%.3f MFLOP a picture: %.1f GFLOP/s, %.1f %% of the peak measured here, %.0f\n", flop / 1e6, flop / us / 1e3,
	       100 * share, peak / 1e9);
}

int command_bench(const struct program *program, int argc, char **argv)
{
	bool train = false, json = false;
	const char *network = "relu";
	struct engine_choice choice = { .device = "auto" };
	struct bench b = { .batch = 64, .n_threads = 1 };
	const struct option options[] = {
		{ "train", NULL, "measure training steps instead of the forward pass", .flag = &train },
		{ "batch", "B", "pictures per call, or per training step (64)", .count = &b.batch, .max = MAX_BATCH },
		{ "threads", "T", "number of threads (1)", .count = &b.n_threads, .max = OPTIONS_MAX_THREADS },
		{ "network", "NAME", "network: sigmoid, relu or 1998 (relu)", .text = &network },
		{ "json", NULL, "print JSON", .flag = &json },
		OPTIONS_ENGINE(choice),
	};
	static const char help[] = "Measures the time per picture, in about two seconds. Run it on an idle machine.";
	const struct usage usage = { "bench", "", help, options, sizeof options / sizeof options[0], 0, 0 };
	double us;
	struct err e;
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	b.net = lenet5_find(network, &e);
	if (!b.net)
		return options_wrong(&usage, "%s", e.msg);
	choice.training = train;
	choice.max_batch = b.batch;
	status = options_open_engine(program, &choice, &b.engine, &e);
	if (!status)
		status = set_up(&b, train, &e);
	if (!status)
		status = measure(&b, &us, &e);
	if (!status)
		print(&b, train, json, us);
	tear_down(&b);
	engine_close(b.engine);
	return status ? options_fail(&usage, &e) : 0;
}
