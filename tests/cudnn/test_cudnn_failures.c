// The cuDNN path on the emulated GPU: every call that fails is told, and leaves nothing behind.
#include "tests/cudnn/fixture.h"
#include "tests/emulate/emulate.h"
#include "tests/unit/test.h"

#include <string.h>

// One of everything: a model, a context and a forward pass, a trainer and two steps. -1 at the first failure.
static int use_all(struct engine *engine, int which, struct err *e)
{
	static const uint32_t order[] = { 0, 1, 2 };
	static const float rates[] = { 0.1f, 0.1f };
	static float ink[2 * LENET5_PIXELS], scores[20], losses[2];
	const struct engine_training training = {
		.start = *fixture_network(which),
		.loss = which == PUBLISHED ? ENGINE_MAP : ENGINE_CROSS_ENTROPY,
		.batch = 2,
		.n_threads = 1,
	};
	struct engine_model *model = NULL;
	struct engine_context *context = NULL;
	struct engine_trainer *trainer = NULL;
	fixture_data();
	int failed = engine_model_new(engine, fixture_network(which), &model, e) ||
		     engine_context_open(engine, 2, 1, &context, e) || engine_forward(context, model, ink, 2, scores, e) ||
		     engine_trainer_open(engine, &training, &trainer, e) ||
		     engine_trainer_data(trainer, fixture_pixels, fixture_labels, 3, e) ||
		     engine_trainer_steps(trainer, order, 3, rates, losses, e);
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
	struct engine *engine = fixture_engine(false);
	int n_alive = fake->n_alive, n_objects = emulate_objects();
	for (fake->executions_left = n; use_all(engine, which, &e); fake->executions_left = ++n) {
		CHECK_MSG(strstr(e.msg, "cudnnBackendExecute") && strstr(e.msg, "asked to fail"), "%s", e.msg);
		CHECK_MSG(fake->n_alive == n_alive && emulate_objects() == n_objects, "execution %d leaves something behind", n);
		CHECK(!engine_lost(engine));
	}
	// two passes of a context, for both kinds of network, and two of a trainer, each put twice
	CHECK_MSG(n == 2 * 2 * (5 + 4) + 2 * 2 * n_step, "%d executions", n);
	engine_close(engine);
	fixture_controls();
}

TEST(cudnn_survives_every_failing_execution)
{
	struct fake_cudnn *fake = fixture_controls();
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
	struct fake_cudnn *fake = fixture_controls();
	if (!fake)
		return;
	for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
		int failed = 1, n = 0;
		for (; failed; n += 1 + n / 4) {
			struct err e = { "" };
			struct engine *engine = fixture_engine(false);
			int n_alive = fake->n_alive, n_objects = emulate_objects();
			emulate_failure(functions[f], n, cudaErrorLaunchFailure);
			failed = use_all(engine, n % 2 ? RELU : PUBLISHED, &e);
			emulate_failure(NULL, 0, cudaSuccess);
			CHECK_MSG(!failed || (*e.msg && engine_lost(engine)), "%s, call %d: \"%s\"", functions[f], n, e.msg);
			CHECK_MSG(fake->n_alive == n_alive && emulate_objects() == n_objects, "%s, call %d leaves something behind",
				  functions[f], n);
			engine_close(engine);
		}
		CHECK_MSG(n > 1, "%s was never called", functions[f]);
	}
}
