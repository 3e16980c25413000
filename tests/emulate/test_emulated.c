// What the tests of the seam cannot ask of a GPU engine: that no barrier is missing, that nothing is left behind wherever an
// open fails, and what an error that sticks does. On the emulated device (emulate.h).
#include "core/idx.h"
#include "core/rng.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/cuda_net.h"
#include "tests/emulate/emulate.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// On the four multiprocessors here a pass of N_FOURS pictures has four a block, and one of the other N - N_FOURS has two.
enum { N = 16, N_FOURS = 10, N_STEPS = 3, N_PARAMS = 61740 };

static float params[N_PARAMS], ink[N * LENET5_PIXELS];
static uint8_t pixels[N * LENET5_PIXELS], labels[N];

static struct engine_network noise(const char *name)
{
	struct rng rng;
	struct err e;
	const struct lenet5 *net = lenet5_find(name, &e);
	rng_init(&rng, 1);
	lenet5_init(net, &rng, params);
	for (int i = 0; i < N * LENET5_PIXELS; i++) {
		pixels[i] = (uint8_t)rng_next(&rng);
		ink[i] = (float)pixels[i] / 255.0f;
		labels[i % N] = (uint8_t)(i % N % 10);
	}
	return (struct engine_network){ net, 0.13f, 0.31f, params };
}

static struct engine *open_engine(void)
{
	struct engine *engine = NULL;
	struct err e = { "" };
	CHECK_MSG(cuda_engine_open(0, &engine, &e) == 0, "%s", e.msg);
	return engine;
}

// Everything that an engine does, on a few pictures. -1 at the first failure. *lost: as the engine was at the end.
static int do_everything(const char *name, float *scores, float *trained, struct engine_trace *trace, bool *lost, struct err *e)
{
	const struct engine_network network = noise(name);
	const struct engine_training training = {
		.start = network,
		.loss = network.net->output == LENET5_LOGITS ? ENGINE_CROSS_ENTROPY : ENGINE_MAP,
		.j = 0.1f,
		.batch = 4,
		.n_threads = 1,
		.momentum_rate = 0.9f,
	};
	const uint32_t order[] = { 0, 1, 2, 3, 4, 5, 0, 1, 2 };
	const float rates[N_STEPS] = { 0.001f, 0.001f, 0.001f };
	float losses[N_STEPS], alone[10];
	struct engine *engine;
	struct engine_model *model = NULL;
	struct engine_context *context = NULL;
	struct engine_trainer *trainer = NULL;
	*lost = false;
	if (cuda_engine_open(0, &engine, e))
		return -1;
	int status = -1;
	if (engine_model_new(engine, &network, &model, e) || engine_context_open(engine, N, 1, &context, e) ||
	    engine_forward(context, model, ink, N_FOURS, scores, e) ||
	    engine_forward(context, model, ink + N_FOURS * LENET5_PIXELS, N - N_FOURS, scores + N_FOURS * 10, e) ||
	    engine_forward(context, model, ink, 1, alone, e) || engine_trace(context, model, ink, trace, e) ||
	    engine_trainer_open(engine, &training, &trainer, e) || engine_trainer_data(trainer, pixels, labels, N, e) ||
	    engine_trainer_steps(trainer, order, 9, rates, losses, e) || engine_trainer_read(trainer, trained, trained, e))
		goto out;
	CHECK(memcmp(alone, scores, sizeof alone) == 0);
	status = 0;
out:
	*lost = engine_lost(engine);
	engine_trainer_close(trainer);
	engine_context_close(context);
	engine_model_unref(model);
	engine_close(engine);
	return status;
}

static void check_orders(const char *name)
{
	static float scores[3][N * 10], trained[3][N_PARAMS];
	static struct engine_trace traces[3];
	bool lost;
	struct err e = { "" };
	for (int order = 0; order < 3; order++) {
		emulate_threads((enum emulate_order)order);
		CHECK_MSG(do_everything(name, scores[order], trained[order], &traces[order], &lost, &e) == 0, "%s", e.msg);
	}
	emulate_threads(EMULATE_FORWARDS);
	for (int order = 1; order < 3; order++) {
		CHECK_MSG(memcmp(scores[0], scores[order], sizeof scores[0]) == 0, "%s: scores", name);
		CHECK_MSG(memcmp(trained[0], trained[order], sizeof trained[0]) == 0, "%s: training", name);
		CHECK_MSG(memcmp(&traces[0], &traces[order], sizeof traces[0]) == 0, "%s: layers", name);
	}
	CHECK(memcmp(scores[0], traces[0].output, sizeof traces[0].output) == 0);
}

TEST(emulated_threads_in_any_order)
{
	check_orders("relu");
	check_orders("1998");
}

// Each call that an engine makes fails once: the caller hears of it, and nothing is left.
TEST(emulated_failures_leave_nothing)
{
	static const char *const functions[] = {
		"cudaGetDeviceCount",
		"cudaSetDevice",
		"cudaGetDeviceProperties",
		"cudaDeviceGetAttribute",
		"cudaMalloc",
		"cudaHostAlloc",
		"cudaMemcpyAsync",
		"cudaMemsetAsync",
		"cudaStreamCreateWithFlags",
		"cudaStreamSynchronize",
		"cudaStreamQuery",
		"cudaStreamBeginCapture",
		"cudaStreamEndCapture",
		"cudaGraphInstantiate",
		"cudaGraphLaunch",
		"cudaLaunchKernel",
		"kernel",
		"cudaFuncSetAttribute",
	};
	static float scores[N * 10], trained[N_PARAMS];
	static struct engine_trace trace;
	struct err e;
	CHECK(emulate_objects() == 0);
	for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
		int good = 0, status;
		bool lost;
		do {
			emulate_failure(functions[f], good, cudaErrorIllegalAddress);
			e.msg[0] = 0;
			status = do_everything("relu", scores, trained, &trace, &lost, &e);
			CHECK_MSG(status == 0 || strstr(e.msg, "700") || strstr(e.msg, "CUDA does not start"),
				  "%s after %d: \"%s\"", functions[f], good, e.msg);
			CHECK_MSG(emulate_objects() == 0, "%s after %d: %d objects are left", functions[f], good,
				  emulate_objects());
			good++;
		} while (status && good < 200);
		CHECK_MSG(good > 1, "%s is never called", functions[f]);
	}
	emulate_failure(NULL, 0, cudaSuccess);
}

TEST(emulated_an_error_that_sticks_is_a_loss)
{
	const struct engine_network network = noise("relu");
	float first[10], scores[10];
	struct engine *engine = open_engine();
	struct engine_model *model;
	struct engine_context *context;
	struct err e = { "" };
	CHECK(engine_model_new(engine, &network, &model, &e) == 0 && engine_context_open(engine, 1, 1, &context, &e) == 0);
	CHECK(engine_forward(context, model, ink, 1, first, &e) == 0 && !engine_lost(engine));

	emulate_failure("kernel", 0, cudaErrorLaunchFailure);
	CHECK(engine_forward(context, model, ink, 1, scores, &e) == -1 && engine_lost(engine));
	CHECK_MSG(strstr(e.msg, "cuda (emulated)") && strstr(e.msg, "719"), "%s", e.msg);
	CHECK(engine_forward(context, model, ink, 1, scores, &e) == -1);
	emulate_failure(NULL, 0, cudaSuccess);
	CHECK(engine_lost(engine)); // for good

	engine_context_close(context);
	engine_model_unref(model);
	engine_close(engine);
	CHECK(emulate_objects() == 0);
}

// Its one rate a parameter is for batches of one, which are no work for a GPU.
TEST(emulated_curvature_is_refused)
{
	const struct engine_network network = noise("1998");
	struct engine *engine = open_engine();
	struct engine_trainer *trainer;
	struct err e = { "" };
	struct engine_training training = {
		.start = network, .loss = ENGINE_MAP, .batch = 1, .n_threads = 1, .curvature = params, .mu = 1
	};
	CHECK(engine_trainer_open(engine, &training, &trainer, &e) == -1 && strstr(e.msg, "CPU"));
	training.curvature = NULL;
	CHECK(engine_trainer_open(engine, &training, &trainer, &e) == 0);
	CHECK(engine_trainer_curvature(trainer, (uint32_t[]){ 0 }, 1, params, &e) == -1 && strstr(e.msg, "curvature"));
	engine_trainer_close(trainer);
	engine_close(engine);
}

// Out of memory is no loss.
TEST(emulated_an_error_that_passes_is_none)
{
	struct engine *engine = open_engine();
	struct engine_context *context;
	struct err e = { "" };
	emulate_failure_once("cudaHostAlloc", 0, cudaErrorMemoryAllocation);
	CHECK(engine_context_open(engine, 1, 1, &context, &e) == -1 && !engine_lost(engine));
	CHECK(engine_context_open(engine, 1, 1, &context, &e) == 0);
	engine_context_close(context);
	engine_close(engine);
}

struct left {
	struct engine_model *model;
	struct engine_context *context;
	struct engine_trainer *trainer;
};

static void *close_all(void *arg)
{
	struct left *left = arg;
	engine_trainer_close(left->trainer);
	engine_context_close(left->context);
	engine_model_unref(left->model);
	return NULL;
}

// A thread that has computed nothing frees what is on the second device: the first one stays untouched.
static void free_elsewhere(struct engine *engine)
{
	const struct engine_network network = noise("relu");
	const struct engine_training training = { .start = network, .batch = 2, .n_threads = 1 };
	struct left left = { NULL, NULL, NULL };
	struct err e = { "" };
	pthread_t thread;
	CHECK_MSG(engine_model_new(engine, &network, &left.model, &e) == 0 &&
			  engine_context_open(engine, 2, 1, &left.context, &e) == 0 &&
			  engine_trainer_open(engine, &training, &left.trainer, &e) == 0 &&
			  engine_trainer_data(left.trainer, pixels, labels, N, &e) == 0,
		  "%s", e.msg);
	if (pthread_create(&thread, NULL, close_all, &left))
		abort();
	pthread_join(thread, NULL);
	engine_close(engine);
	CHECK_MSG(emulate_contexts() == 1u << 1, "contexts on devices %#x", emulate_contexts());
	CHECK(emulate_objects() == 0);
}

TEST(emulated_frees_are_on_the_engines_device)
{
	struct engine *engine = NULL;
	struct err e = { "" };
	emulate_devices(2, cudaSuccess);
	CHECK_MSG(cuda_engine_open(1, &engine, &e) == 0, "%s", e.msg);
	if (engine)
		free_elsewhere(engine);
	emulate_devices(2, cudaSuccess);
	if (cudnn_engine_open(1, false, &engine, &e) == 0)
		free_elsewhere(engine);
	else
		CHECK_MSG(strstr(e.msg, "cuDNN"), "%s", e.msg); // which a test of its own brings along
	emulate_devices(1, cudaSuccess);
}

TEST(emulated_pictures_a_block)
{
	static const struct {
		int n, n_multiprocessors, want;
	} cases[] = {
		{ 1, 132, 1 },   { 132, 132, 1 }, { 133, 132, 2 }, { 264, 132, 2 },  { 265, 132, 4 },   { 528, 132, 4 },
		{ 529, 132, 2 }, { 792, 132, 2 }, { 793, 132, 4 }, { 1056, 132, 4 }, { 16384, 132, 4 }, { 65536, 132, 4 },
		{ 40, 40, 1 },   { 41, 40, 2 },   { 81, 40, 4 },   { 1, 1, 1 },      { 2, 1, 2 },       { 3, 1, 4 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int got = cuda_pictures_a_block(cases[i].n, cases[i].n_multiprocessors);
		CHECK_MSG(got == cases[i].want, "%d pictures on %d multiprocessors: %d a block, want %d", cases[i].n,
			  cases[i].n_multiprocessors, got, cases[i].want);
	}
}

// With one, two and four pictures a block: a pass of several pictures takes a fence for the host and an atomic operation a block,
// and one fence more; a pass of one picture takes neither.
TEST(emulated_blocks_fences_and_atomics)
{
	static const struct {
		int n;
		struct emulate_counts want;
	} cases[] = {
		{ 1, { 1, 0, 0 } }, { 2, { 2, 3, 2 } }, { 4, { 4, 5, 4 } }, { 5, { 3, 4, 3 } },
		{ 8, { 4, 5, 4 } }, { 9, { 3, 4, 3 } }, { N, { 4, 5, 4 } },
	};
	static float alone[N * 10], together[N * 10];
	static struct engine_trace trace;
	const struct engine_network network = noise("relu");
	struct engine *engine = open_engine();
	struct engine_model *model;
	struct engine_context *context;
	struct emulate_counts before, after;
	struct err e = { "" };
	CHECK(engine_model_new(engine, &network, &model, &e) == 0 && engine_context_open(engine, N, 1, &context, &e) == 0);
	for (int p = 0; p < N; p++)
		CHECK(engine_forward(context, model, ink + p * LENET5_PIXELS, 1, alone + p * 10, &e) == 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct emulate_counts *want = &cases[i].want;
		before = emulate_counts;
		CHECK(engine_forward(context, model, ink, cases[i].n, together, &e) == 0);
		after = emulate_counts;
		CHECK(memcmp(together, alone, (size_t)cases[i].n * 10 * sizeof *alone) == 0);
		CHECK_MSG(after.blocks - before.blocks == want->blocks && after.atomics - before.atomics == want->atomics &&
				  after.system_fences - before.system_fences == want->system_fences,
			  "%d pictures: %ld blocks, %ld fences, %ld atomics", cases[i].n, after.blocks - before.blocks,
			  after.system_fences - before.system_fences, after.atomics - before.atomics);
	}
	before = emulate_counts;
	CHECK(engine_trace(context, model, ink, &trace, &e) == 0 && memcmp(trace.output, alone, sizeof trace.output) == 0);
	after = emulate_counts;
	CHECK(after.system_fences - before.system_fences == 1 && after.atomics == before.atomics);
	engine_context_close(context);
	engine_model_unref(model);
	engine_close(engine);
}

// Every kernel's shared memory fits into what the card has, and the card does not show in the bits.
TEST(emulated_cards)
{
	static const struct {
		int major, minor;
	} cards[] = { { 7, 5 }, { 8, 6 }, { 9, 0 } };
	static const char *const names[] = { "relu", "1998" };
	static float scores[2][N * 10], trained[2][N_PARAMS];
	static struct engine_trace traces[2];
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < sizeof cards / sizeof cards[0]; i++) {
			bool lost, first = i == 0;
			struct err e = { "" };
			emulate_card(cards[i].major, cards[i].minor);
			CHECK_MSG(do_everything(names[k], scores[!first], trained[!first], &traces[!first], &lost, &e) == 0,
				  "%d.%d: %s: %s", cards[i].major, cards[i].minor, names[k], e.msg);
			CHECK(first || (memcmp(scores[0], scores[1], sizeof scores[0]) == 0 &&
					memcmp(trained[0], trained[1], sizeof trained[0]) == 0 &&
					memcmp(&traces[0], &traces[1], sizeof traces[0]) == 0));
		}
	struct engine *engine;
	struct err e = { "" };
	emulate_card(7, 0);
	CHECK(cuda_engine_open(0, &engine, &e) == -1);
	CHECK_MSG(strstr(e.msg, "has compute capability 7.0, and 7.5 is needed"), "%s", e.msg);
	emulate_card(7, 5);
}

TEST(emulated_why_there_is_no_gpu)
{
	static const struct {
		int n_devices;
		cudaError_t error;
		int device;
		const char *says;
	} cases[] = {
		{ 0, cudaErrorNoDevice, 0, "sees no GPU" },        { 0, cudaErrorInsufficientDriver, 0, "no NVIDIA driver" },
		{ 1, cudaErrorInsufficientDriver, 0, "too old" },  { 1, cudaErrorUnknown, 0, "does not start" },
		{ 1, cudaSuccess, 1, "there is one GPU, cuda:0" }, { 3, cudaSuccess, 7, "there are 3 GPUs, cuda:0 to cuda:2" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct engine *engine;
		struct err e = { "" };
		emulate_devices(cases[i].n_devices, cases[i].error);
		CHECK(cuda_engine_open(cases[i].device, &engine, &e) == -1);
		CHECK_MSG(strstr(e.msg, cases[i].says), "\"%s\" does not say \"%s\"", e.msg, cases[i].says);
	}
	emulate_devices(1, cudaSuccess);
	CHECK(emulate_objects() == 0);
}
