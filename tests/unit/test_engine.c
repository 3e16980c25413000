// Engines (tests/unit/engines.h says which) against the reference vectors of tests/golden/ (PyTorch in float64; the bounds
// are those of its README.md) and against the promises of core/engine.h.
#include "kernels/cpu/cpu.h"
#include "tests/unit/engines.h"
#include "tests/unit/golden.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TEST = 256, N_PARAMS = GOLDEN_N_PARAMS, MAX_STEPS = 400 };

static const struct {
	const char *what;
	double bound; // of the golden README
} bounds[] = {
	{ "step0", 1e-5 }, // the worst tensor, network and instruction set here: 1.1e-6
	{ "after1", 1e-6 }, // 4.3e-7
	{ "after100", 2e-4 }, // 5.6e-5: a rounding decided which of two all but equal pixels a pooling window takes
	{ "after400", 5e-5 }, // of 1998: 2.0e-6
	// Of 1998 all penalties are near 84 at first, so 84 is taken off; what the file itself loses by rounding is 2.7e-4 of
	// the rest.
	{ "step0 penalties", 5e-3 }, // 1.6e-3
};

// A run of training that golden files are of.
struct run {
	const char *what;
	int steps, batch;
	float rate;
	enum engine_loss loss;
};
static const struct run after1 = { "after1", 1, 64, 0.01f, ENGINE_CROSS_ENTROPY };
static const struct run after100 = { "after100", 100, 64, 0.01f, ENGINE_CROSS_ENTROPY };
static const struct run after400 = { "after400", 400, 16, 0.0005f, ENGINE_MAP };

static bool has_penalties(const struct lenet5 *net)
{
	return net->output == LENET5_PENALTIES;
}

static const struct run *last_run(const struct lenet5 *net)
{
	return has_penalties(net) ? &after400 : &after100;
}

static double bound_of(const char *what)
{
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
		if (strcmp(what, bounds[i].what) == 0)
			return bounds[i].bound;
	return 0;
}

static float *ink_of(const struct idx *data, size_t n)
{
	float *ink = malloc(n * LENET5_PIXELS * sizeof *ink);
	for (size_t i = 0; i < n * LENET5_PIXELS; i++)
		ink[i] = (float)data->pixels[i] / 255.0f;
	return ink;
}

static struct engine_network network(const struct lenet5 *net, const float *params)
{
	return (struct engine_network){ net, net->mean, net->std, params };
}

static float params[N_PARAMS], want_params[N_PARAMS], momentum[N_PARAMS], losses[MAX_STEPS], want_losses[MAX_STEPS];

// The next network that the engine knows, from lenet5_at(*k) on; NULL after the last. The CPU knows them all.
static const struct lenet5 *next_network(struct engine *engine, int *k)
{
	for (const struct lenet5 *net; (net = lenet5_at((*k)++));) {
		struct engine_network n = network(net, params);
		struct engine_model *model;
		struct err e;
		if (engine_model_new(engine, &n, &model, &e) == 0) {
			engine_model_unref(model);
			return net;
		}
		CHECK_MSG(strncmp(engine->name, "cpu", 3) != 0 && strstr(e.msg, net->name), "%s: %s", engine->name, e.msg);
		test_skip("%s: %s", engine->name, e.msg);
	}
	return NULL;
}

// A model with a context to compute it in.
struct setup {
	struct engine_model *model;
	struct engine_context *context;
};

static struct setup set_up(struct engine *engine, const struct engine_network *n, int n_threads)
{
	struct setup s;
	struct err e;
	CHECK(engine_model_new(engine, n, &s.model, &e) == 0);
	CHECK(engine_context_open(engine, N_TEST, n_threads, &s.context, &e) == 0);
	return s;
}

static void tear_down(struct setup *s)
{
	engine_context_close(s->context);
	engine_model_unref(s->model);
}

static void forward(struct setup *s, const float *ink, int n, float *scores)
{
	struct err e;
	CHECK(engine_forward(s->context, s->model, ink, n, scores, &e) == 0);
}

static void check_tensors(const struct engine *engine, const struct lenet5 *net, const char *what, const float *got,
			  const float *want)
{
	for (int t = 0; t < net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &net->tensors[t];
		double error = test_error(got + tensor->offset, want + tensor->offset, tensor->count);
		bool same = memcmp(got + tensor->offset, want + tensor->offset, tensor->count * sizeof *got) == 0; // 0 and 0, too
		CHECK_MSG(same || error <= bound_of(what), "%s, %s, %s: %s: error %.2e, bound %.0e", engine->name, net->name, what,
			  tensor->name, error, bound_of(what));
		if (getenv("TEST_VERBOSE"))
			printf("  %s %s %s %s %.2e\n", engine->name, net->name, what, tensor->name, error);
	}
}

static void check_scores(struct engine *engine, const struct engine_network *n, const char *what, const struct safetensors *file)
{
	static float got[N_TEST * 10], want[N_TEST * 10];
	struct idx test = golden_pictures(IDX_TEST);
	float *ink = ink_of(&test, N_TEST);
	golden_floats(file, has_penalties(n->net) ? "penalties" : "logits", N_TEST * 10, want);
	struct setup s = set_up(engine, n, 2);
	forward(&s, ink, N_TEST, got);
	tear_down(&s);
	bool untrained = has_penalties(n->net) && strcmp(what, "step0") == 0;
	for (int i = 0; untrained && i < N_TEST * 10; i++) {
		got[i] -= 84;
		want[i] -= 84;
	}
	double error = test_error(got, want, N_TEST * 10), bound = bound_of(untrained ? "step0 penalties" : what);
	CHECK_MSG(error <= bound, "%s, %s, %s: scores: error %.2e, bound %.0e", engine->name, n->net->name, what, error, bound);
	if (getenv("TEST_VERBOSE"))
		printf("  %s %s %s scores %.2e\n", engine->name, n->net->name, what, error);
	free(ink);
	idx_free(&test);
}

// A run's first `steps` steps from the golden start, training pictures in file order; leaves parameters, momentum, losses.
static void train(struct engine *engine, const struct lenet5 *net, const struct run *run, int steps, int n_threads, float *to,
		  float *to_momentum, float *to_losses)
{
	struct safetensors start = golden_open(net, "init");
	struct idx data = golden_pictures(IDX_TRAIN);
	struct engine_trainer *trainer;
	struct err e;
	uint32_t n = (uint32_t)(steps * run->batch), *order = malloc(n * sizeof *order);
	float *rates = malloc((size_t)steps * sizeof *rates);
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (int i = 0; i < steps; i++)
		rates[i] = run->rate;
	golden_params(&start, net, "", "", to);
	struct engine_training training = { .start = network(net, to),
					    .loss = run->loss,
					    .j = 0.1f,
					    .batch = run->batch,
					    .n_threads = n_threads,
					    .momentum_rate = 0.9f };
	CHECK(engine_trainer_open(engine, &training, &trainer, &e) == 0);
	CHECK(engine_trainer_data(trainer, data.pixels, data.labels, data.n, &e) == 0);
	CHECK(engine_trainer_steps(trainer, order, n, rates, to_losses, &e) == 0);
	CHECK(engine_trainer_read(trainer, to, to_momentum, &e) == 0);
	engine_trainer_close(trainer);
	free(order);
	free(rates);
	idx_free(&data);
	safetensors_free(&start);
}

// With rate 0, the momentum after one step from zero is the gradient.
static void check_gradients(struct engine *engine, const struct lenet5 *net, enum engine_loss loss, const char *prefix,
			    const struct safetensors *step0)
{
	const struct run still = { "step0", 1, 64, 0, loss };
	char name[16];
	snprintf(name, sizeof name, "%sloss", prefix);
	train(engine, net, &still, 1, 1, params, momentum, losses);
	golden_params(step0, net, prefix, ".grad", want_params);
	check_tensors(engine, net, "step0", momentum, want_params);
	golden_floats(step0, name, 1, want_losses);
	CHECK(test_error(losses, want_losses, 1) <= bound_of("step0"));
}

TEST(engine_golden_step0)
{
	struct engine *engine;
	const struct lenet5 *net;
	for (int i = 0; (engine = engines_next(&i)); engine_close(engine))
		for (int k = 0; (net = next_network(engine, &k));) {
			struct safetensors start = golden_open(net, "init"), step0 = golden_open(net, "step0");
			golden_params(&start, net, "", "", params);
			struct engine_network n = network(net, params);
			check_scores(engine, &n, "step0", &step0);
			if (has_penalties(net)) {
				check_gradients(engine, net, ENGINE_MSE, "mse.", &step0);
				check_gradients(engine, net, ENGINE_MAP, "map.", &step0);
			} else {
				check_gradients(engine, net, ENGINE_CROSS_ENTROPY, "", &step0);
			}
			safetensors_free(&start);
			safetensors_free(&step0);
		}
}

static void check_run(struct engine *engine, const struct lenet5 *net, const struct run *run)
{
	struct safetensors after = golden_open(net, run->what);
	train(engine, net, run, run->steps, 2, params, NULL, losses);
	golden_params(&after, net, "", "", want_params);
	check_tensors(engine, net, run->what, params, want_params);
	golden_floats(&after, "losses", (size_t)run->steps, want_losses);
	CHECK(test_error(losses, want_losses, (size_t)run->steps) <= bound_of(run->what));
	struct engine_network n = network(net, params);
	check_scores(engine, &n, run->what, &after);
	safetensors_free(&after);
}

TEST(engine_golden_training)
{
	struct engine *engine;
	const struct lenet5 *net;
	for (int i = 0; (engine = engines_next(&i)); engine_close(engine))
		for (int k = 0; (net = next_network(engine, &k));) {
			if (!has_penalties(net))
				check_run(engine, net, &after1);
			if (net == lenet5_at(0) || !test_is_short())
				check_run(engine, net, last_run(net));
		}
}

TEST(engine_bits_in_any_company)
{
	enum { MAX = 64 };
	static float alone[MAX * 10], together[MAX * 10], one[10];
	const int N = test_is_short() ? 9 : MAX;
	struct idx test = golden_pictures(IDX_TEST);
	float *ink = ink_of(&test, MAX), *batch = malloc(MAX * LENET5_PIXELS * sizeof *batch);
	struct engine *engine;
	const struct lenet5 *net;
	for (int i = 0; (engine = engines_next(&i)); engine_close(engine))
		for (int k = 0; (net = next_network(engine, &k));) {
			struct safetensors after = golden_open(net, last_run(net)->what);
			golden_params(&after, net, "", "", params);
			struct engine_network n = network(net, params);
			struct setup one_thread = set_up(engine, &n, 1), two_threads = set_up(engine, &n, 2);
			for (int p = 0; p < N; p++)
				forward(&one_thread, ink + p * LENET5_PIXELS, 1, alone + p * 10);
			for (int size = 2; size <= N; size++) {
				forward(&one_thread, ink, size, together);
				CHECK(memcmp(alone, together, (size_t)size * 10 * sizeof(float)) == 0);
				forward(&two_threads, ink, size, together);
				CHECK(memcmp(alone, together, (size_t)size * 10 * sizeof(float)) == 0);
			}
			// picture 7 at every place of every size, among others that move; one network of a kind will do for that
			for (int size = 2; net != lenet5_at(1) && size <= N; size++)
				for (int place = 0; place < size; place++) {
					for (int p = 0; p < size; p++)
						memcpy(batch + p * LENET5_PIXELS,
						       ink + (p == place ? 7 : (p * 5 + place) % N) * LENET5_PIXELS,
						       LENET5_PIXELS * sizeof *batch);
					forward(&one_thread, batch, size, together);
					memcpy(one, together + place * 10, sizeof one);
					CHECK_MSG(memcmp(one, alone + 70, sizeof one) == 0, "%s: place %d of %d", engine->name,
						  place, size);
				}
			tear_down(&one_thread);
			tear_down(&two_threads);
			safetensors_free(&after);
		}
	free(ink);
	free(batch);
	idx_free(&test);
}

static void forward_pixels(struct setup *s, const uint8_t *pixels, int n, float *scores)
{
	struct err e;
	CHECK(engine_forward_pixels(s->context, s->model, pixels, n, scores, &e) == 0);
}

// Every value is in every picture. A GPU is given nothing but the pixels, in the context's memory.
TEST(engine_bits_of_pixels)
{
	enum { N = N_TEST, N_PIXELS = N * LENET5_PIXELS };
	static const int sizes[] = { 1, 2, 3, 4, 5, 6, N };
	static uint8_t pixels[N_PIXELS], untouched[3 * N_PIXELS];
	static float ink[N_PIXELS], want[N * 10], got[N * 10];
	for (int i = 0; i < N_PIXELS; i++) {
		pixels[i] = (uint8_t)(7 * i + i / LENET5_PIXELS);
		ink[i] = (float)pixels[i] / 255.0f;
	}
	memset(untouched, 0xff, sizeof untouched);
	struct engine *engine;
	const struct lenet5 *net;
	for (int i = 0; (engine = engines_next(&i)); engine_close(engine))
		for (int k = 0; (net = next_network(engine, &k));) {
			struct safetensors after = golden_open(net, last_run(net)->what);
			golden_params(&after, net, "", "", params);
			struct engine_network n = network(net, params);
			struct setup s = set_up(engine, &n, 2);
			uint8_t *own = engine_context_pixels(s.context), *own_ink = (uint8_t *)engine_context_ink(s.context);
			CHECK((own == NULL) == (strncmp(engine->name, "cpu", 3) == 0));
			for (int j = 0; j < (test_is_short() ? 6 : 7); j++) {
				const int size = sizes[j];
				forward(&s, ink, size, want);
				memset(own_ink, 0xff, sizeof ink);
				forward_pixels(&s, pixels, size, got);
				CHECK_MSG(memcmp(got, want, (size_t)size * 10 * sizeof *got) == 0, "%s: %d pictures", engine->name,
					  size);
				size_t bytes = (size_t)size * LENET5_PIXELS;
				CHECK(!own ||
				      (memcmp(own, pixels, bytes) == 0 && memcmp(own_ink + bytes, untouched, 3 * bytes) == 0));
			}
			tear_down(&s);
			safetensors_free(&after);
		}
}

TEST(engine_bits_with_any_threads)
{
	static float other[N_PARAMS], other_losses[MAX_STEPS];
	struct engine *engine;
	const struct lenet5 *net;
	for (int i = 0; (engine = engines_next(&i)); engine_close(engine))
		for (int k = 1; (net = next_network(engine, &k));) { // two networks of one kind need not both
			const int steps = test_is_short() ? 3 : 20, most = test_is_short() ? 2 : 5;
			train(engine, net, last_run(net), steps, 1, params, NULL, losses);
			for (int n_threads = 2; n_threads <= most; n_threads++) {
				train(engine, net, last_run(net), steps, n_threads, other, NULL, other_losses);
				CHECK_MSG(memcmp(params, other, net->n_params * sizeof *params) == 0, "%s: %s, %d threads",
					  engine->name, net->name, n_threads);
				CHECK(memcmp(losses, other_losses, (size_t)steps * sizeof *losses) == 0);
			}
		}
}

// AVX2 and AVX-512 both fuse multiply and add, and no sum runs across lanes.
TEST(cpu_bits_of_avx2_are_avx512s)
{
	static float other[N_PARAMS], scores[5 * 10], other_scores[5 * 10];
	struct engine *avx2, *avx512;
	struct err e;
	if (cpu_engine_open("avx512", &avx512, &e)) {
		test_skip("%s", e.msg);
		return;
	}
	CHECK(cpu_engine_open("avx2", &avx2, &e) == 0);
	struct idx test = golden_pictures(IDX_TEST);
	float *ink = ink_of(&test, 5);
	for (int k = 0; lenet5_at(k); k++) {
		const struct lenet5 *net = lenet5_at(k);
		train(avx2, net, last_run(net), 20, 1, params, NULL, losses);
		train(avx512, net, last_run(net), 20, 1, other, NULL, losses);
		CHECK_MSG(memcmp(params, other, net->n_params * sizeof *params) == 0, "%s", net->name);
		struct engine_network n = network(net, params);
		struct setup a = set_up(avx2, &n, 1), b = set_up(avx512, &n, 1);
		forward(&a, ink, 5, scores); // a group, and one alone
		forward(&b, ink, 5, other_scores);
		CHECK_MSG(memcmp(scores, other_scores, sizeof scores) == 0, "%s", net->name);
		tear_down(&a);
		tear_down(&b);
	}
	engine_close(avx2);
	engine_close(avx512);
	free(ink);
	idx_free(&test);
}

TEST(engine_trace_has_the_bits_of_forward)
{
	static struct engine_trace trace;
	struct idx test = golden_pictures(IDX_TEST);
	float *ink = ink_of(&test, 8), scores[10];
	struct engine *engine;
	const struct lenet5 *net;
	for (int i = 0; (engine = engines_next(&i)); engine_close(engine))
		for (int k = 0; (net = next_network(engine, &k));) {
			struct safetensors after = golden_open(net, last_run(net)->what);
			golden_params(&after, net, "", "", params);
			struct engine_network n = network(net, params);
			struct setup s = set_up(engine, &n, 1);
			for (int p = 0; p < 8; p++) {
				struct err e;
				forward(&s, ink + p * LENET5_PIXELS, 1, scores);
				CHECK(engine_trace(s.context, s.model, ink + p * LENET5_PIXELS, &trace, &e) == 0);
				CHECK(memcmp(scores, trace.output, sizeof scores) == 0);
			}
			tear_down(&s);
			safetensors_free(&after);
		}
	free(ink);
	idx_free(&test);
}

TEST(engine_refuses)
{
	struct engine *engine;
	struct err e;
	for (int i = 0; (engine = engines_next(&i)); engine_close(engine)) {
		struct engine_trainer *trainer;
		struct engine_training training = { .start = network(lenet5_at(0), params), .batch = 4, .n_threads = 1 };
		CHECK(engine_trainer_open(engine, &training, &trainer, &e) == 0);
		uint8_t pixels[2 * LENET5_PIXELS] = { 0 }, labels[2] = { 3, 11 };
		CHECK(engine_trainer_data(trainer, pixels, labels, 2, &e) == -1 && strstr(e.msg, "label 11"));
		CHECK(engine_trainer_data(trainer, pixels, labels, 1, &e) == 0);
		uint32_t order[1] = { 1 };
		float rate = 0, loss;
		CHECK(engine_trainer_steps(trainer, order, 1, &rate, &loss, &e) == -1 && strstr(e.msg, "picture 1"));
		engine_trainer_close(trainer);

		training.loss = ENGINE_MSE;
		CHECK(engine_trainer_open(engine, &training, &trainer, &e) == -1 && strstr(e.msg, "cross-entropy"));
	}
}

TEST(cpu_refuses_losses_and_curvatures_that_do_not_fit)
{
	struct engine *engine;
	struct err e;
	for (int i = 0; !getenv("TEST_ENGINE") && (engine = engines_next(&i)); engine_close(engine)) {
		struct engine_trainer *trainer;
		struct engine_training training = { .start = network(lenet5_find("1998", &e), params), .batch = 4, .n_threads = 1 };
		CHECK(engine_trainer_open(engine, &training, &trainer, &e) == -1 && strstr(e.msg, "mse or map"));
		training.start = network(lenet5_at(0), params);
		training.curvature = params;
		training.mu = 1;
		CHECK(engine_trainer_open(engine, &training, &trainer, &e) == -1 && strstr(e.msg, "no curvature"));
		training.curvature = NULL;
		CHECK(engine_trainer_open(engine, &training, &trainer, &e) == 0);
		const uint8_t pixels[LENET5_PIXELS] = { 0 }, labels[1] = { 3 };
		CHECK(engine_trainer_data(trainer, pixels, labels, 1, &e) == 0);
		CHECK(engine_trainer_curvature(trainer, (uint32_t[]){ 0 }, 1, momentum, &e) == -1 && strstr(e.msg, "no curvature"));
		engine_trainer_close(trainer);
	}
}

TEST(cpu_refuses_an_unknown_instruction_set)
{
	struct engine *engine;
	struct err e = { "" };
	CHECK(cpu_engine_open("mmx", &engine, &e) == -1 && strstr(e.msg, "\"mmx\"; there are: ") && strstr(e.msg, "portable"));
}
