// The cuDNN path on the emulated GPU with the cuDNN of fake_cudnn.c: what the tests of the seam (tests/unit/test_engine*.c
// with TEST_ENGINE=cudnn) do not reach: batches that fill no pass, models that take turns, training.
#include "kernels/cpu/cpu.h"
#include "tests/cudnn/fixture.h"
#include "tests/emulate/emulate.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

// Whatever the batch, a picture's scores have the bits that it has alone.
static void check_batches(struct engine *engine, int which)
{
	enum { MAX = 11 };
	static float ink[MAX * LENET5_PIXELS], alone[MAX * 10], together[MAX * 10];
	struct engine_model *model;
	struct engine_context *context;
	struct err e;
	fixture_ink(0, MAX, ink);
	CHECK(engine_model_new(engine, fixture_network(which), &model, &e) == 0);
	CHECK(engine_context_open(engine, MAX, 1, &context, &e) == 0);
	int n_objects = emulate_objects();
	for (int i = 0; i < MAX; i++)
		CHECK(engine_forward(context, model, ink + i * LENET5_PIXELS, 1, alone + i * 10, &e) == 0);
	for (int n = MAX; n > 0; n--) {
		memcpy(engine_context_ink(context), ink, (size_t)n * LENET5_PIXELS * sizeof *ink);
		CHECK(engine_forward(context, model, engine_context_ink(context), n, together, &e) == 0);
		CHECK_MSG(memcmp(together, alone, (size_t)n * 10 * sizeof *alone) == 0, "%s: %d pictures", model->net->name, n);
	}
	CHECK(emulate_objects() == n_objects); // nothing is allocated while it serves
	engine_context_close(context);
	engine_model_unref(model);
}

// Left alone, the heuristics would set another tile from batches of 4 on, with other bits.
TEST(cudnn_batches_of_any_size)
{
	struct fake_cudnn *fake = fixture_controls();
	if (!fake)
		return;
	fake->engines[0].tile_from = 4;
	struct engine *engine = fixture_engine(false);
	check_batches(engine, SIGMOID);
	check_batches(engine, PUBLISHED);
	engine_close(engine);
	fixture_controls();
}

TEST(cudnn_models_take_turns_in_a_context)
{
	static float ink[LENET5_PIXELS], first[N_NETWORKS][10], again[10];
	struct engine_context *context;
	struct err e;
	if (!fixture_controls())
		return;
	struct engine *engine = fixture_engine(false);
	fixture_ink(3, 1, ink);
	CHECK(engine_context_open(engine, 1, 1, &context, &e) == 0);
	for (int turn = 0; turn < 3 * N_NETWORKS; turn++) { // each a new model, perhaps where the last one was
		int which = turn % N_NETWORKS;
		struct engine_model *model;
		CHECK(engine_model_new(engine, fixture_network(which), &model, &e) == 0);
		CHECK(engine_forward(context, model, ink, 1, turn < N_NETWORKS ? first[which] : again, &e) == 0);
		CHECK(turn < N_NETWORKS || memcmp(again, first[which], sizeof again) == 0);
		engine_model_unref(model);
	}
	CHECK(memcmp(first[SIGMOID], first[RELU], sizeof again) != 0);
	engine_context_close(context);
	engine_close(engine);
}

struct trained {
	float params[FIXTURE_N_PARAMS], momentum[FIXTURE_N_PARAMS], losses[6];
};

static const struct lesson {
	int which;
	enum engine_loss loss;
	float j, smoothing, rate;
} lessons[] = {
	{ SIGMOID, ENGINE_CROSS_ENTROPY, 0, 0.1f, 0.1f },
	// Untrained, it has all penalties near 84: a j below them, and one so far beyond that only their softmax is left. The
	// other loss has no j.
	{ PUBLISHED, ENGINE_MSE, 80, 0, 0.005f },
	{ PUBLISHED, ENGINE_MAP, 80, 0, 0.005f },
	{ PUBLISHED, ENGINE_MAP, 300, 0, 0.005f },
};

// Calls of 10, 7 and 3 pictures in steps of 4: last steps of 2, of 3, and of 3 that have other data.
static void train(struct engine *engine, const struct lesson *lesson, struct trained *t)
{
	static const uint32_t order[] = { 3, 1, 4, 15, 9, 2, 6, 5, 23, 8, 7, 0, 10, 21, 11, 12, 13 };
	const float rates[] = { lesson->rate, lesson->rate / 2, lesson->rate * 2 };
	const struct engine_training training = {
		.start = *fixture_network(lesson->which),
		.loss = lesson->loss,
		.j = lesson->j,
		.batch = 4,
		.n_threads = 1,
		.momentum_rate = 0.9f,
		.weight_decay = 0.01f,
		.label_smoothing = lesson->smoothing,
	};
	struct engine_trainer *trainer;
	struct err e;
	fixture_data();
	CHECK(engine_trainer_open(engine, &training, &trainer, &e) == 0);
	CHECK(engine_trainer_data(trainer, fixture_pixels, fixture_labels, FIXTURE_N_DATA, &e) == 0);
	CHECK(engine_trainer_steps(trainer, order, 10, rates, t->losses, &e) == 0);
	CHECK(engine_trainer_steps(trainer, order + 10, 7, rates, t->losses + 3, &e) == 0);
	CHECK(engine_trainer_data(trainer, fixture_pixels + LENET5_PIXELS, fixture_labels + 2, 16, &e) == 0);
	CHECK(engine_trainer_steps(trainer, order, 3, rates, t->losses + 5, &e) == 0);
	CHECK(engine_trainer_read(trainer, t->params, t->momentum, &e) == 0);
	engine_trainer_close(trainer);
}

static void check_tensors(const struct lesson *lesson, const char *what, const float *got, const float *want, double bound)
{
	const struct lenet5 *net = lenet5_at(lesson->which);
	for (int i = 0; i < net->n_tensors; i++) {
		const struct lenet5_tensor *t = &net->tensors[i];
		double error = test_error(got + t->offset, want + t->offset, t->count);
		bool same = memcmp(got + t->offset, want + t->offset, t->count * sizeof *got) == 0; // 0 and 0, too
		CHECK_MSG(same || error < bound, "%s, loss %d: %s of %s: error %.1e", net->name, lesson->loss, what, t->name,
			  error);
	}
}

static void check_lesson(const struct lesson *lesson)
{
	static struct trained want, got, again;
	struct engine *cpu;
	struct err e;
	CHECK(cpu_engine_open(NULL, &cpu, &e) == 0);
	train(cpu, lesson, &want);
	engine_close(cpu);
	for (int order = EMULATE_FORWARDS; order <= EMULATE_SHUFFLED; order++) {
		emulate_threads(order);
		struct engine *engine = fixture_engine(false);
		train(engine, lesson, &got);
		engine_close(engine);
		if (order == EMULATE_FORWARDS)
			again = got;
		CHECK(memcmp(&again, &got, sizeof got) == 0);
	}
	emulate_threads(EMULATE_FORWARDS);
	check_tensors(lesson, "parameters", got.params, want.params, 1e-6); // 2.5e-7
	check_tensors(lesson, "momentum", got.momentum, want.momentum, 1e-5); // 2.4e-6
	double losses = test_error(got.losses, want.losses, 6);
	CHECK_MSG(losses < 5e-6, "losses: error %.1e", losses); // 1.1e-6
}

TEST(cudnn_trains_as_the_cpu_does)
{
	for (size_t i = 0; fixture_controls() && i < sizeof lessons / sizeof lessons[0]; i++)
		check_lesson(&lessons[i]);
}

TEST(cudnn_leaves_curvature_to_the_cpu)
{
	static float curvature[FIXTURE_N_PARAMS];
	struct engine_training training = {
		.start = *fixture_network(PUBLISHED),
		.loss = ENGINE_MSE,
		.batch = 4,
		.n_threads = 1,
		.mu = 1,
		.curvature = curvature,
	};
	struct engine_trainer *trainer;
	struct err e;
	if (!fixture_controls())
		return;
	struct engine *engine = fixture_engine(false);
	CHECK(engine_trainer_open(engine, &training, &trainer, &e) == -1 && strstr(e.msg, "--device cpu"));
	training.curvature = NULL;
	CHECK(engine_trainer_open(engine, &training, &trainer, &e) == 0);
	CHECK(engine_trainer_curvature(trainer, (uint32_t[]){ 0 }, 1, curvature, &e) == -1 && strstr(e.msg, "no curvature"));
	engine_trainer_close(trainer);
	engine_close(engine);
}

TEST(cudnn_refuses_a_network_that_it_does_not_know)
{
	struct err e;
	struct engine_model *model;
	struct engine_trainer *trainer;
	if (!fixture_controls())
		return;
	struct lenet5_tensor tensors[LENET5_N_PARAMETERS];
	struct lenet5 other = *lenet5_at(SIGMOID);
	memcpy(tensors, other.tensors, (size_t)other.n_tensors * sizeof *tensors);
	other.tensors = tensors;
	other.name = "other";
	struct engine_network n = *fixture_network(SIGMOID);
	n.net = &other;
	const struct engine_training training = { .start = n, .batch = 4, .n_threads = 1 };
	struct engine *engine = fixture_engine(false);
	CHECK(engine_model_new(engine, &n, &model, &e) == -1 && strstr(e.msg, "no network other"));
	CHECK(engine_trainer_open(engine, &training, &trainer, &e) == -1 && strstr(e.msg, "no network other"));
	engine_close(engine);
}
