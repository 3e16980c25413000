// The cuDNN path on the emulated GPU with the cuDNN of fake_cudnn.c: what the golden vectors (tests/unit/test_engine.c with
// TEST_ENGINE=cudnn) do not reach. Choice of an engine, batches that fill no pass, models that take turns, failures.
#include "core/engine.h"
#include "core/rng.h"
#include "kernels/cpu.h"
#include "kernels/cuda.h"
#include "kernels/cudnn.h"
#include "tests/cudnn/fake_cudnn.h"
#include "tests/emulate/emulate.h"
#include "tests/unit/test.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Networks by their place in lenet5_at.
enum { SIGMOID, RELU, PUBLISHED, N_NETWORKS };
enum { N_PARAMS = 61740, N_DATA = 24 };

// The fake's controls, reset; NULL, and the test is skipped, where LD_LIBRARY_PATH does not lead to it.
static struct fake_cudnn *controls(void)
{
	void *library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_NODELETE);
	struct fake_cudnn *(*get)(void) = NULL;
	void (*reset)(void) = NULL;
	void *symbols[2] = { library ? dlsym(library, "fake_cudnn") : NULL,
			     library ? dlsym(library, "fake_cudnn_reset") : NULL };
	memcpy(&get, &symbols[0], sizeof get);
	memcpy(&reset, &symbols[1], sizeof reset);
	if (!get || !reset) {
		test_skip("libcudnn.so.9 is not the fake: LD_LIBRARY_PATH does not lead to it");
		return NULL;
	}
	reset();
	return get();
}

static struct engine *open_engine(bool tf32)
{
	const struct cuda_options options = { .cudnn = true, .tf32 = tf32 };
	struct engine *engine;
	struct err e;
	if (cuda_engine_open(&options, &engine, &e)) {
		test_fail(__FILE__, __LINE__, "%s", e.msg);
		exit(1);
	}
	return engine;
}

static const struct engine_network *network(int which)
{
	static float params[N_NETWORKS][N_PARAMS];
	static struct engine_network networks[N_NETWORKS];
	const struct lenet5 *net = lenet5_at(which);
	struct rng rng;
	rng_init(&rng, (uint64_t)which);
	lenet5_init(net, &rng, params[which]);
	for (int i = 0; i < net->n_tensors; i++) // 1998 begins with biases of 0, which would hide a wrong one
		for (size_t k = 0; net->tensors[i].n_dims == 1 && k < net->tensors[i].count; k++)
			params[which][net->tensors[i].offset + k] += rng_uniform(&rng, -0.1f, 0.1f);
	networks[which] = (struct engine_network){ net, net->mean, net->std, params[which] };
	return &networks[which];
}

static uint8_t pixels[N_DATA * LENET5_PIXELS], labels[N_DATA];

static void make_data(void)
{
	struct rng rng;
	rng_init(&rng, 3);
	for (int i = 0; i < N_DATA * LENET5_PIXELS; i++)
		pixels[i] = (uint8_t)rng_next(&rng);
	for (int i = 0; i < N_DATA; i++)
		labels[i] = (uint8_t)(i * 7 % 10);
}

static void ink_of(int first, int n, float *ink)
{
	make_data();
	for (int i = 0; i < n * LENET5_PIXELS; i++)
		ink[i] = (float)pixels[first * LENET5_PIXELS + i] / 255.0f;
}

// The engine that is chosen for a convolution, or -1.
static int choose(bool tf32, struct err *e)
{
	const struct cudnn_shape shape = { 4, 6, 14, 16, 10 };
	struct cudnn *cudnn;
	struct cudnn_session session;
	struct cudnn_conv conv;
	int engine = -1;
	if (cudnn_open(tf32, &cudnn, e))
		return -1;
	if (cudnn_session_open(cudnn, NULL, &session, e) == 0) {
		if (cudnn_conv_plan(&session, CUDNN_CONV_FILTER, &shape, &conv, e) == 0) {
			engine = conv.engine;
			cudnn_conv_free(&session, &conv);
		}
		cudnn_session_close(&session);
	}
	cudnn_close(cudnn);
	return engine;
}

TEST(cudnn_takes_the_first_that_will_do)
{
	static const struct fake_engine_config engines[] = {
		{ .n_notes = 1, .notes = { CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC } },
		{ .n_notes = 1, .notes = { CUDNN_NUMERICAL_NOTE_TENSOR_CORE } },
		{ .n_notes = 2, .notes = { CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP, CUDNN_NUMERICAL_NOTE_WINOGRAD } },
		{ .plan = CUDNN_STATUS_NOT_SUPPORTED },
		{ .workspace_bytes = (int64_t)1 << 40 },
		{ .n_notes = 1, .notes = { CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP } },
		{ .n_notes = 0 },
	};
	struct fake_cudnn *fake = controls();
	struct err e;
	if (!fake)
		return;
	int n_alive = fake->n_alive;
	memcpy(fake->engines, engines, sizeof engines);
	fake->n_engines = 7;
	for (fake->n_mode_a = 0; fake->n_mode_a <= 7; fake->n_mode_a++) {
		CHECK(choose(false, &e) == 5);
		CHECK(choose(true, &e) == 1);
	}
	fake->n_engines = fake->n_mode_a = 3;
	CHECK(choose(false, &e) == -1 && strstr(e.msg, "6 maps of 14") && strstr(e.msg, "plain FP32"));
	fake->n_engines = 4;
	CHECK(choose(false, &e) == -1 && strstr(e.msg, "a plan that does not work out"));
	CHECK(fake->n_alive == n_alive);
	fake->version = 81002;
	CHECK(choose(false, &e) == -1 && strstr(e.msg, "wants cuDNN 9"));
	controls();
}

// A libcudnn.so.9 that is none, first in the way of a program of its own.
TEST(cudnn_says_what_to_do_without_the_library)
{
	char self[512] = "", command[1400], said[1024] = "", dir[] = "/tmp/lenet-cudnn-XXXXXX";
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0 || !mkdtemp(dir)) {
		test_skip("no /proc or no /tmp");
		return;
	}
	snprintf(command, sizeof command,
		 "echo no >%s/libcudnn.so.9; LD_LIBRARY_PATH=%s TEST_ENGINE=cudnn '%s' engine_refuses 2>&1; rm -r %s", dir,
		 dir, self, dir);
	FILE *out = popen(command, "r");
	size_t n = out ? fread(said, 1, sizeof said - 1, out) : 0;
	said[n] = '\0';
	if (out)
		pclose(out);
	CHECK_MSG(strstr(said, "no cuDNN") && strstr(said, "LD_LIBRARY_PATH"), "it said: %s", said);
}

TEST(cudnn_names_itself)
{
	if (!controls())
		return;
	struct engine *engine = open_engine(false);
	CHECK_MSG(strstr(engine->name, "(emulated, cuDNN 9.") && !strstr(engine->name, "TF32"), "%s", engine->name);
	engine_close(engine);
	engine = open_engine(true);
	CHECK_MSG(strstr(engine->name, ", TF32)"), "%s", engine->name);
	engine_close(engine);
}

TEST(cudnn_that_does_not_start_is_an_error_of_opening)
{
	const struct cuda_options options = { .cudnn = true };
	struct fake_cudnn *fake = controls();
	struct engine *engine;
	struct engine_context *context;
	struct err e = { "" };
	if (!fake)
		return;
	int n_alive = fake->n_alive, n_objects = emulate_objects();
	fake->create = CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH;
	CHECK(cuda_engine_open(&options, &engine, &e) == -1 && strstr(e.msg, "cudnnCreate"));
	fake->create = CUDNN_STATUS_SUCCESS;
	engine = open_engine(false);
	fake->create = CUDNN_STATUS_INTERNAL_ERROR;
	CHECK(engine_context_open(engine, 2, 1, &context, &e) == -1 && strstr(e.msg, "cudnnCreate"));
	engine_close(engine);
	CHECK(fake->n_alive == n_alive && emulate_objects() == n_objects);
	controls();
}

static struct engine_trace trace_by(struct engine *engine, int which)
{
	static float ink[LENET5_PIXELS];
	struct engine_trace trace;
	struct engine_model *model;
	struct engine_context *context;
	struct err e;
	ink_of(5, 1, ink);
	CHECK(engine_model_new(engine, network(which), &model, &e) == 0);
	CHECK(engine_context_open(engine, 1, 1, &context, &e) == 0);
	CHECK(engine_trace(context, model, ink, &trace, &e) == 0);
	engine_context_close(context);
	engine_model_unref(model);
	engine_close(engine);
	return trace;
}

TEST(cudnn_layer_by_layer_as_the_cpu)
{
	static struct engine_trace want, got;
	struct engine *cpu;
	struct err e;
	if (!controls())
		return;
	for (int which = 0; which < N_NETWORKS; which++) {
		CHECK(cpu_engine_open(NULL, &cpu, &e) == 0);
		want = trace_by(cpu, which);
		got = trace_by(open_engine(false), which);
		const struct {
			const char *name;
			const float *got, *want;
			size_t count;
		} layers[] = {
#define LAYER(name) { #name, got.name, want.name, sizeof got.name / sizeof(float) }
			LAYER(input), LAYER(c1), LAYER(s2), LAYER(c3), LAYER(s4), LAYER(c5), LAYER(f6), LAYER(output),
#undef LAYER
		};
		for (int i = 0; i < LENET5_N_LAYERS; i++) {
			double error = test_error(layers[i].got, layers[i].want, layers[i].count);
			// measured: 5.3e-7 at most
			CHECK_MSG(error < 2e-6, "%s: %s: error %.1e", lenet5_at(which)->name, layers[i].name, error);
		}
	}
}

// The fake computes a picture alike in any pass, so whatever the batch, a picture's scores have the bits that it has alone.
static void check_batches(struct engine *engine, int which)
{
	enum { MAX = 11 };
	static float ink[MAX * LENET5_PIXELS], alone[MAX * 10], together[MAX * 10];
	struct engine_model *model;
	struct engine_context *context;
	struct err e;
	ink_of(0, MAX, ink);
	CHECK(engine_model_new(engine, network(which), &model, &e) == 0);
	CHECK(engine_context_open(engine, MAX, 1, &context, &e) == 0);
	int n_objects = emulate_objects();
	for (int i = 0; i < MAX; i++)
		CHECK(engine_forward(context, model, ink + i * LENET5_PIXELS, 1, alone + i * 10, &e) == 0);
	for (int n = MAX; n > 0; n--) {
		memcpy(engine_context_ink(context), ink, (size_t)n * LENET5_PIXELS * sizeof *ink);
		CHECK(engine_forward(context, model, engine_context_ink(context), n, together, &e) == 0);
		CHECK_MSG(memcmp(together, alone, (size_t)n * 10 * sizeof *alone) == 0, "%s: %d pictures", model->net->name,
			  n);
	}
	CHECK(emulate_objects() == n_objects); // nothing is allocated while it serves
	engine_context_close(context);
	engine_model_unref(model);
}

TEST(cudnn_batches_of_any_size)
{
	if (!controls())
		return;
	struct engine *engine = open_engine(false);
	check_batches(engine, SIGMOID);
	check_batches(engine, PUBLISHED);
	engine_close(engine);
}

TEST(cudnn_models_take_turns_in_a_context)
{
	static float ink[LENET5_PIXELS], first[N_NETWORKS][10], again[10];
	struct engine_context *context;
	struct err e;
	if (!controls())
		return;
	struct engine *engine = open_engine(false);
	ink_of(3, 1, ink);
	CHECK(engine_context_open(engine, 1, 1, &context, &e) == 0);
	for (int turn = 0; turn < 3 * N_NETWORKS; turn++) { // each a new model, perhaps where the last one was
		int which = turn % N_NETWORKS;
		struct engine_model *model;
		CHECK(engine_model_new(engine, network(which), &model, &e) == 0);
		CHECK(engine_forward(context, model, ink, 1, turn < N_NETWORKS ? first[which] : again, &e) == 0);
		CHECK(turn < N_NETWORKS || memcmp(again, first[which], sizeof again) == 0);
		engine_model_unref(model);
	}
	CHECK(memcmp(first[SIGMOID], first[RELU], sizeof again) != 0);
	engine_context_close(context);
	engine_close(engine);
}

struct trained {
	float params[N_PARAMS], momentum[N_PARAMS], losses[6];
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
		.start = *network(lesson->which), .loss = lesson->loss, .j = lesson->j, .batch = 4, .n_threads = 1,
		.momentum_rate = 0.9f, .weight_decay = 0.01f, .label_smoothing = lesson->smoothing,
	};
	struct engine_trainer *trainer;
	struct err e;
	make_data();
	CHECK(engine_trainer_open(engine, &training, &trainer, &e) == 0);
	CHECK(engine_trainer_data(trainer, pixels, labels, N_DATA, &e) == 0);
	CHECK(engine_trainer_steps(trainer, order, 10, rates, t->losses, &e) == 0);
	CHECK(engine_trainer_steps(trainer, order + 10, 7, rates, t->losses + 3, &e) == 0);
	CHECK(engine_trainer_data(trainer, pixels + LENET5_PIXELS, labels + 2, 16, &e) == 0);
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
		struct engine *engine = open_engine(false);
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
	for (size_t i = 0; controls() && i < sizeof lessons / sizeof lessons[0]; i++)
		check_lesson(&lessons[i]);
}

TEST(cudnn_leaves_curvature_to_the_cpu)
{
	static float curvature[N_PARAMS];
	struct engine_training training = {
		.start = *network(PUBLISHED), .loss = ENGINE_MSE, .batch = 4, .n_threads = 1, .mu = 1, .curvature = curvature,
	};
	struct engine_trainer *trainer;
	struct err e;
	if (!controls())
		return;
	struct engine *engine = open_engine(false);
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
	if (!controls())
		return;
	struct lenet5_tensor tensors[LENET5_N_PARAMETERS];
	struct lenet5 other = *lenet5_at(SIGMOID);
	memcpy(tensors, other.tensors, (size_t)other.n_tensors * sizeof *tensors);
	other.tensors = tensors;
	other.name = "other";
	struct engine_network n = *network(SIGMOID);
	n.net = &other;
	const struct engine_training training = { .start = n, .batch = 4, .n_threads = 1 };
	struct engine *engine = open_engine(false);
	CHECK(engine_model_new(engine, &n, &model, &e) == -1 && strstr(e.msg, "no network other"));
	CHECK(engine_trainer_open(engine, &training, &trainer, &e) == -1 && strstr(e.msg, "no network other"));
	engine_close(engine);
}

// One of everything: a model, a context and a forward pass, a trainer and two steps. -1 at the first failure.
static int use_all(struct engine *engine, int which, struct err *e)
{
	static const uint32_t order[] = { 0, 1, 2 };
	static const float rates[] = { 0.1f, 0.1f };
	static float ink[2 * LENET5_PIXELS], scores[20], losses[2];
	const struct engine_training training = {
		.start = *network(which),
		.loss = which == PUBLISHED ? ENGINE_MAP : ENGINE_CROSS_ENTROPY,
		.batch = 2,
		.n_threads = 1,
	};
	struct engine_model *model = NULL;
	struct engine_context *context = NULL;
	struct engine_trainer *trainer = NULL;
	make_data();
	int failed =
	    engine_model_new(engine, network(which), &model, e) || engine_context_open(engine, 2, 1, &context, e) ||
	    engine_forward(context, model, ink, 2, scores, e) || engine_trainer_open(engine, &training, &trainer, e) ||
	    engine_trainer_data(trainer, pixels, labels, 3, e) || engine_trainer_steps(trainer, order, 3, rates, losses, e);
	engine_trainer_close(trainer);
	engine_context_close(context);
	engine_model_unref(model);
	return failed ? -1 : 0;
}

// n_step: convolutions of a step.
static void check_failing_executions(struct fake_cudnn *fake, int which, int n_step)
{
	struct err e = { "" };
	int n = 0;
	struct engine *engine = open_engine(false);
	int n_alive = fake->n_alive, n_objects = emulate_objects();
	for (fake->executions_left = n; use_all(engine, which, &e); fake->executions_left = ++n) {
		CHECK_MSG(strstr(e.msg, "cudnnBackendExecute") && strstr(e.msg, "asked to fail"), "%s", e.msg);
		CHECK_MSG(fake->n_alive == n_alive && emulate_objects() == n_objects, "execution %d leaves something behind",
			  n);
		CHECK(!engine_lost(engine));
	}
	// two passes of a context, for both kinds of network, and two of a trainer, each put twice
	CHECK_MSG(n == 2 * 2 * (5 + 4) + 2 * 2 * n_step, "%d executions", n);
	engine_close(engine);
	controls();
}

TEST(cudnn_survives_every_failing_execution)
{
	struct fake_cudnn *fake = controls();
	if (!fake)
		return;
	check_failing_executions(fake, RELU, 14);
	check_failing_executions(fake, PUBLISHED, 11);
}

TEST(cudnn_survives_every_failing_call_and_knows_that_it_is_lost)
{
	static const char *const functions[] = { "cudaMalloc",
						 "cudaHostAlloc",
						 "cudaStreamCreateWithFlags",
						 "cudaMemcpyAsync",
						 "cudaMemsetAsync",
						 "cudaStreamSynchronize",
						 "cudaStreamBeginCapture",
						 "cudaStreamEndCapture",
						 "cudaGraphInstantiate",
						 "cudaGraphLaunch",
						 "cudaLaunchKernel",
						 "cudaLaunchHostFunc",
						 "kernel",
						 "cudaSetDevice" };
	struct fake_cudnn *fake = controls();
	if (!fake)
		return;
	for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
		int failed = 1, n = 0;
		for (; failed; n += 1 + n / 4) {
			struct err e = { "" };
			struct engine *engine = open_engine(false);
			int n_alive = fake->n_alive, n_objects = emulate_objects();
			emulate_failure(functions[f], n, cudaErrorLaunchFailure);
			failed = use_all(engine, n % 2 ? RELU : PUBLISHED, &e);
			emulate_failure(NULL, 0, cudaSuccess);
			CHECK_MSG(!failed || (*e.msg && engine_lost(engine)), "%s, call %d: \"%s\"", functions[f], n, e.msg);
			CHECK_MSG(fake->n_alive == n_alive && emulate_objects() == n_objects,
				  "%s, call %d leaves something behind", functions[f], n);
			engine_close(engine);
		}
		CHECK_MSG(n > 1, "%s was never called", functions[f]);
	}
}
