// What only a GPU has time for, or only a GPU can get wrong: linked with the tests of the seam into gpu-tests, and run on the
// engine that TEST_ENGINE names (tests/unit/engines.h). TEST_SHORT=1 does a little of each, for compute-sanitizer.
#include "core/idx.h"
#include "core/weights.h"
#include "kernels/cpu/cpu.h"
#include "tests/unit/engines.h"
#include "tests/unit/test.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SIZE = 256, N_POOL = 2 * MAX_SIZE, N_TRAIN = 6400 };
static const char *const models[] = { "models/relu.bin", "models/lab.bin", "models/1998.bin" };
enum { N_MODELS = sizeof models / sizeof models[0] };

static void need(int status, const struct err *e)
{
	if (status) {
		fprintf(stderr, "%s\n", e->msg);
		exit(2);
	}
}

// The first n test pictures. The caller frees.
static float *load_ink(size_t n)
{
	struct idx test;
	struct err e;
	need(idx_read("tests/data", IDX_TEST, &test, &e), &e);
	float *ink = malloc(n * LENET5_PIXELS * sizeof *ink);
	for (size_t i = 0; i < n * LENET5_PIXELS; i++)
		ink[i] = (float)test.pixels[i] / 255.0f;
	idx_free(&test);
	return ink;
}

static struct weights load_model(const char *path)
{
	struct weights w = { 0 };
	struct err e;
	need(weights_read(path, NULL, &w, &e), &e);
	return w;
}

static struct engine_network network_of(const struct weights *w)
{
	return (struct engine_network){ w->net, w->mean, w->std, w->params };
}

// A trained model on an engine.
struct subject {
	struct weights weights;
	struct engine *engine;
	struct engine_model *model;
	struct engine_context *context;
};

static struct subject subject_open(struct engine *engine, const char *path, int max_batch)
{
	struct subject s = { .weights = load_model(path), .engine = engine };
	struct engine_network n = network_of(&s.weights);
	struct err e;
	need(engine_model_new(engine, &n, &s.model, &e), &e);
	need(engine_context_open(engine, max_batch, 1, &s.context, &e), &e);
	return s;
}

static void subject_close(struct subject *s)
{
	engine_context_close(s->context);
	engine_model_unref(s->model);
	engine_close(s->engine);
	weights_free(&s->weights);
}

static void forward(const struct subject *s, const float *ink, int n, float *scores)
{
	struct err e = { "" };
	CHECK_MSG(engine_forward(s->context, s->model, ink, n, scores, &e) == 0, "%d pictures: %s", n, e.msg);
}

// A window of n pictures slides over the pool by n − 1: so picture n − 1 is at every place once, always in other company.
TEST(gpu_bits_at_every_place)
{
	static float alone[N_POOL * 10], together[MAX_SIZE * 10];
	const int max_size = test_is_short() ? 5 : MAX_SIZE;
	int n_answers = 0, n_differ = 0;
	float *ink = load_ink(N_POOL);
	for (int m = 0; m < N_MODELS; m++) {
		struct subject s = subject_open(engines_open(), models[m], MAX_SIZE);
		float *own = engine_context_ink(s.context);
		for (int p = 0; p < 2 * max_size; p++)
			forward(&s, ink + p * LENET5_PIXELS, 1, alone + p * 10);
		for (int size = 2; size <= max_size; size++)
			for (int first = 0; first < size; first++) {
				const float *window = ink + first * LENET5_PIXELS;
				if (first == 0) // from the context's memory, too
					window = memcpy(own, window, (size_t)size * LENET5_PIXELS * sizeof *own);
				forward(&s, window, size, together);
				n_answers += size;
				for (int p = 0; p < size; p++)
					n_differ += memcmp(together + p * 10, alone + (first + p) * 10, 10 * sizeof(float)) != 0;
			}
		subject_close(&s);
	}
	free(ink);
	CHECK(n_differ == 0);
	test_figure("%d of %d answers differ from the same picture's alone, batches of 2 to %d", n_differ, n_answers, max_size);
}

TEST(gpu_layers_match_cpu)
{
	static const struct {
		const char *name;
		size_t offset, n;
	} layers[] = {
#define LAYER(name) { #name, offsetof(struct engine_trace, name), sizeof((struct engine_trace *)NULL)->name / sizeof(float) }
		LAYER(input), LAYER(c1), LAYER(s2), LAYER(c3), LAYER(s4), LAYER(c5), LAYER(f6), LAYER(output),
#undef LAYER
	};
	enum { N_LAYERS = sizeof layers / sizeof layers[0] };
	static struct engine_trace got, want;
	const double bound = 1e-5; // of the golden README, for one pass
	const int n_pictures = test_is_short() ? 2 : 64;
	float *ink = load_ink((size_t)n_pictures);
	for (int m = 0; m < N_MODELS; m++) {
		struct engine *cpu;
		struct err e = { "" };
		need(cpu_engine_open(NULL, &cpu, &e), &e);
		struct subject reference = subject_open(cpu, models[m], 1), s = subject_open(engines_open(), models[m], 1);
		double worst[N_LAYERS] = { 0 };
		for (int p = 0; p < n_pictures; p++) {
			const float *picture = ink + p * LENET5_PIXELS;
			CHECK_MSG(engine_trace(s.context, s.model, picture, &got, &e) == 0, "%s", e.msg);
			CHECK(engine_trace(reference.context, reference.model, picture, &want, &e) == 0);
			for (int l = 0; l < N_LAYERS; l++)
				worst[l] = fmax(worst[l], test_error((float *)((char *)&got + layers[l].offset),
								     (float *)((char *)&want + layers[l].offset), layers[l].n));
		}
		char line[256] = "";
		for (int l = 0; l < N_LAYERS; l++) {
			CHECK_MSG(worst[l] <= bound, "%s: %s: error %.2e, bound %.0e", models[m], layers[l].name, worst[l], bound);
			size_t used = strlen(line);
			snprintf(line + used, sizeof line - used, " %s %.1e", layers[l].name, worst[l]);
		}
		test_figure("%s:%s", s.weights.net->name, line);
		subject_close(&reference);
		subject_close(&s);
	}
	free(ink);
}

// How a training is cut into steps and calls.
struct course {
	int batch;
	uint32_t n; // pictures in all, the last step taking what is left
	uint32_t per_call; // of them in one call of the engine: whole steps
	float weight_decay, label_smoothing;
};

// Trains a network of random parameters in mixed order; leaves parameters (n_params) and the losses of all steps.
static void train(struct engine *engine, const struct lenet5 *net, const struct course *c, float *params, float *losses)
{
	static uint32_t order[N_TRAIN];
	static float rates[N_TRAIN];
	struct engine_trainer *trainer;
	struct idx data;
	struct rng rng;
	struct err e;
	need(idx_read("tests/data", IDX_TRAIN, &data, &e), &e);
	rng_init(&rng, 1);
	lenet5_init(net, &rng, params);
	for (uint32_t i = 0; i < data.n; i++)
		order[i] = i;
	rng_shuffle(&rng, order, data.n);
	for (int i = 0; i < N_TRAIN; i++)
		rates[i] = (net->output == LENET5_LOGITS ? 0.05f : 0.0005f) / (float)(1 + i % 3);
	const struct engine_training training = { .start = { net, net->mean, net->std, params },
						  .loss = net->output == LENET5_LOGITS ? ENGINE_CROSS_ENTROPY : ENGINE_MAP,
						  .j = 0.1f,
						  .batch = c->batch,
						  .n_threads = 1,
						  .momentum_rate = 0.9f,
						  .weight_decay = c->weight_decay,
						  .label_smoothing = c->label_smoothing };
	need(engine_trainer_open(engine, &training, &trainer, &e), &e);
	need(engine_trainer_data(trainer, data.pixels, data.labels, data.n, &e), &e);
	for (uint32_t at = 0; at < c->n; at += c->per_call) {
		uint32_t n = c->n - at < c->per_call ? c->n - at : c->per_call, step = at / (uint32_t)c->batch;
		need(engine_trainer_steps(trainer, order + at, n, rates + step, losses + step, &e), &e);
	}
	need(engine_trainer_read(trainer, params, NULL, &e), &e);
	engine_trainer_close(trainer);
	idx_free(&data);
}

enum { MAX_PARAMS = 61740 };
static float got[MAX_PARAMS], want[MAX_PARAMS], got_losses[N_TRAIN], want_losses[N_TRAIN];

// Batch sizes that are no power of two, a last step that is not full, weight decay and label smoothing large enough to show.
TEST(gpu_training_matches_cpu)
{
	static const struct course courses[] = {
		{ 1, 5, 5, 0, 0 },         { 7, 24, 24, 0.05f, 0 }, { 64, 200, 200, 0, 0.2f }, { 100, 250, 250, 0.05f, 0.2f },
		{ 512, 1100, 1100, 0, 0 },
	};
	const double bound = 1e-5; // five steps; leaving an option out gives 1e-3 and more
	double worst = 0;
	for (int k = 0; lenet5_at(k); k++)
		for (size_t i = 0; i < (test_is_short() ? 2 : sizeof courses / sizeof courses[0]); i++) {
			struct engine *cpu, *engine = engines_open();
			struct err e;
			need(cpu_engine_open(NULL, &cpu, &e), &e);
			train(engine, lenet5_at(k), &courses[i], got, got_losses);
			train(cpu, lenet5_at(k), &courses[i], want, want_losses);
			size_t n_steps = (courses[i].n + (uint32_t)courses[i].batch - 1) / (uint32_t)courses[i].batch;
			double error =
				fmax(test_error(got, want, lenet5_at(k)->n_params), test_error(got_losses, want_losses, n_steps));
			CHECK_MSG(error <= bound, "%s, batch %d: error %.2e, bound %.0e", lenet5_at(k)->name, courses[i].batch,
				  error, bound);
			worst = fmax(worst, error);
			engine_close(cpu);
			engine_close(engine);
		}
	test_figure("worst error %.1e", worst);
}

// The same seed twice, and once more with the steps cut into calls differently.
TEST(gpu_training_has_the_same_bits)
{
	const uint32_t n = test_is_short() ? 200 : N_TRAIN;
	const struct course courses[] = { { 64, n, n, 0, 0 }, { 64, n, n, 0, 0 }, { 64, n, 3 * 64, 0, 0 } };
	const size_t n_steps = (n + 63) / 64;
	int n_differ = 0;
	for (int k = 0; lenet5_at(k); k++)
		for (int i = 0; i < 3; i++) {
			struct engine *engine = engines_open();
			train(engine, lenet5_at(k), &courses[i], i ? got : want, i ? got_losses : want_losses);
			engine_close(engine);
			n_differ += i && (memcmp(got, want, sizeof got) != 0 ||
					  memcmp(got_losses, want_losses, n_steps * sizeof *got_losses) != 0);
		}
	CHECK(n_differ == 0);
	test_figure("%d of 6 repeated runs of %zu steps differ", n_differ, n_steps);
}

// The driver's own word of the device's free memory, without its headers. Negative where there is no driver.
static double free_device_mib(void)
{
	size_t left, all;
	void *driver = dlopen("libcuda.so.1", RTLD_NOW);
	int (*info)(size_t *, size_t *) = NULL;
	if (driver)
		*(void **)&info = dlsym(driver, "cuMemGetInfo_v2");
	return info && info(&left, &all) == 0 ? (double)left / (1 << 20) : -1;
}

static double resident_mib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		pages = -1;
	if (f)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void open_and_close(const float *ink)
{
	static uint8_t pixels[4 * LENET5_PIXELS], labels[4];
	const uint32_t order[4] = { 0, 1, 2, 3 };
	const float rates[2] = { 0.01f, 0.01f };
	float scores[40], step_losses[2];
	struct subject s = subject_open(engines_open(), models[0], 8);
	forward(&s, ink, 4, scores);
	struct engine_trainer *trainer;
	struct err e;
	const struct engine_training training = { .start = network_of(&s.weights), .batch = 2, .n_threads = 1 };
	need(engine_trainer_open(s.engine, &training, &trainer, &e), &e);
	need(engine_trainer_data(trainer, pixels, labels, 4, &e), &e);
	need(engine_trainer_steps(trainer, order, 4, rates, step_losses, &e), &e);
	engine_trainer_close(trainer);
	subject_close(&s);
}

// One engine stays open, so that the driver's context is there to be asked and is not what is counted.
TEST(gpu_opens_and_closes_without_growth)
{
	const int n = test_is_short() ? 3 : 1000, n_warm = test_is_short() ? 1 : 50;
	struct engine *stays = engines_open();
	float *ink = load_ink(4);
	for (int i = 0; i < n_warm; i++)
		open_and_close(ink);
	double device = free_device_mib(), host = resident_mib();
	for (int i = 0; i < n; i++)
		open_and_close(ink);
	double device_growth = device - free_device_mib(), host_growth = resident_mib() - host;
	free(ink);
	engine_close(stays);
	if (test_is_short()) // too few to tell
		return;
	CHECK_MSG(host_growth < 2, "host: %.2f MiB more", host_growth); // 2 KiB an opening
	if (device < 0)
		test_skip("device memory: there is no driver to ask");
	else
		CHECK_MSG(device_growth < 0.5, "device: %.2f MiB more", device_growth); // it is given out in pieces of 2 MiB
	test_figure("%d openings: device %+.2f MiB, host %+.2f MiB", n, device < 0 ? 0 : device_growth, host_growth);
}
