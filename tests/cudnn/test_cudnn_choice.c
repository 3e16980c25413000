// The cuDNN path on the emulated GPU: which engine of cuDNN's is chosen, and when cuDNN is.
#include "kernels/cuda/cuda.h"
#include "kernels/cudnn/cudnn.h"
#include "kernels/engines.h"
#include "tests/cudnn/fixture.h"
#include "tests/emulate/emulate.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
		if (cudnn_conv_plan(&session, CUDNN_CONV_FILTER, &shape, 1, &conv, e) == 0) {
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
	struct fake_cudnn *fake = fixture_controls();
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
	CHECK(choose(false, &e) == -1 && strstr(e.msg, "needs cuDNN 9"));
	fixture_controls();
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
		 "echo no >%s/libcudnn.so.9; LD_LIBRARY_PATH=%s TEST_ENGINE=cudnn '%s' engine_refuses 2>&1; rm -r %s", dir, dir,
		 self, dir);
	FILE *out = popen(command, "r");
	size_t n = out ? fread(said, 1, sizeof said - 1, out) : 0;
	said[n] = '\0';
	if (out)
		pclose(out);
	CHECK_MSG(strstr(said, "no cuDNN") && strstr(said, "LD_LIBRARY_PATH"), "it said: %s", said);
}

TEST(cudnn_names_itself)
{
	if (!fixture_controls())
		return;
	struct engine *engine = fixture_engine(false);
	CHECK_MSG(strstr(engine->name, "(emulated, cuDNN 9.") && !strstr(engine->name, "TF32"), "%s", engine->name);
	engine_close(engine);
	engine = fixture_engine(true);
	CHECK_MSG(strstr(engine->name, ", TF32)"), "%s", engine->name);
	engine_close(engine);
}

TEST(cudnn_that_does_not_start_is_an_error_of_opening)
{
	struct fake_cudnn *fake = fixture_controls();
	struct engine *engine;
	struct engine_context *context;
	struct err e = { "" };
	if (!fake)
		return;
	int n_alive = fake->n_alive, n_objects = emulate_objects();
	fake->create = CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH;
	CHECK(cudnn_engine_open(0, false, &engine, &e) == -1 && strstr(e.msg, "cudnnCreate"));
	fake->create = CUDNN_STATUS_SUCCESS;
	engine = fixture_engine(false);
	fake->create = CUDNN_STATUS_INTERNAL_ERROR;
	CHECK(engine_context_open(engine, 2, 1, &context, &e) == -1 && strstr(e.msg, "cudnnCreate"));
	engine_close(engine);
	CHECK(fake->n_alive == n_alive && emulate_objects() == n_objects);
	fixture_controls();
}

// Configurations that are listed for the largest batch but do not work for the smaller ones.
TEST(cudnn_one_configuration_for_all_batches)
{
	static const struct cudnn_shape shapes[] = { { 8, 6, 14, 16, 10 }, { 4, 6, 14, 16, 10 }, { 1, 6, 14, 16, 10 } };
	struct fake_cudnn *fake = fixture_controls();
	struct cudnn *cudnn;
	struct cudnn_session session;
	struct cudnn_conv convs[3];
	struct err e;
	if (!fake)
		return;
	int n_alive = fake->n_alive;
	fake->engines[0].min_batch = 2;
	CHECK(cudnn_open(false, &cudnn, &e) == 0 && cudnn_session_open(cudnn, NULL, &session, &e) == 0);
	CHECK(cudnn_conv_plan(&session, CUDNN_CONV_FORWARD, shapes, 2, convs, &e) == 0);
	for (int i = 0; i < 2; i++) {
		CHECK(convs[i].engine == 0);
		cudnn_conv_free(&session, &convs[i]);
	}
	CHECK(cudnn_conv_plan(&session, CUDNN_CONV_FORWARD, shapes, 3, convs, &e) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(convs[i].engine == 1);
		cudnn_conv_free(&session, &convs[i]);
	}
	fake->engines[1].min_batch = 2;
	CHECK(cudnn_conv_plan(&session, CUDNN_CONV_FORWARD, shapes, 3, convs, &e) == -1 && strstr(e.msg, "of 8 pictures"));
	cudnn_session_close(&session);
	cudnn_close(cudnn);
	CHECK(fake->n_alive == n_alive);
	fixture_controls();
}

// A cuDNN whose sums depend on the batch whatever the plan: its contexts do not open, and unless it was asked for by name our
// own kernels serve.
TEST(cudnn_with_unsteady_bits_does_not_serve)
{
	struct fake_cudnn *fake = fixture_controls();
	struct engine *engine;
	struct engine_context *context;
	struct engine_choice choice = { .device = "cuda", .kernels = "auto", .max_batch = 8 };
	struct err e = { "" };
	char why[ENGINE_WHY_BYTES];
	if (!fake)
		return;
	int n_alive = fake->n_alive, n_objects = emulate_objects();
	CHECK(engine_open(&choice, &engine, why, sizeof why, &e) == 0 && strcmp(engine->kernels, "cudnn") == 0);
	engine_close(engine);
	for (int from = 2; from <= 16; from *= 2) {
		fake->engines[0].unsteady_from = from;
		engine = fixture_engine(false);
		int failed = engine_context_open(engine, 8, 1, &context, &e);
		CHECK_MSG(failed == (from <= 8 ? -1 : 0), "unsteady from %d on", from);
		if (failed)
			CHECK_MSG(strstr(e.msg, "other bits as number") && strstr(e.msg, "than by itself"), "%s", e.msg);
		else
			engine_context_close(context);
		engine_close(engine);
		CHECK(engine_open(&choice, &engine, why, sizeof why, &e) == 0);
		CHECK(strcmp(engine->kernels, from <= 8 ? "own" : "cudnn") == 0);
		CHECK_MSG(from > 8 || (strstr(why, "own kernels, not cuDNN's: ") && strstr(why, "other bits")), "%s", why);
		engine_close(engine);
	}
	CHECK(fake->n_alive == n_alive && emulate_objects() == n_objects);
	fixture_controls();
}

TEST(cudnn_is_chosen_where_it_serves)
{
	static const struct {
		struct engine_choice choice;
		bool there;
		const char *kernels; // NULL: an error
		const char *says;
	} cases[] = {
		{ { .device = "auto" }, true, "cudnn", "(emulated, cuDNN 9." },
		{ { .device = "auto" }, true, "cudnn", "): a GPU that works; cuDNN's bits do not depend on the batch" },
		{ { .device = "cuda", .kernels = "auto" }, true, "cudnn", "asked for; cuDNN's bits" },
		{ { .device = "auto", .training = true }, true, "own", "cuda (emulated): a GPU that works" },
		{ { .device = "auto", .kernels = "own" }, true, "own", "cuda (emulated): a GPU that works" },
		{ { .device = "auto", .kernels = "cudnn", .training = true }, true, "cudnn", "a GPU that works" },
		{ { .device = "auto" }, false, "own", "own kernels, not cuDNN's: cuDNN 9." },
		{ { .device = "auto", .kernels = "cudnn" }, false, NULL, "--kernels cudnn: cuDNN 9." },
		{ { .device = "cuda:0", .kernels = "cudnn", .tf32 = true }, false, NULL, "cudnnCreate" },
	};
	struct fake_cudnn *fake = fixture_controls();
	for (size_t i = 0; fake && i < sizeof cases / sizeof cases[0]; i++) {
		struct engine *engine;
		struct err e = { "" };
		char why[ENGINE_WHY_BYTES] = "";
		fake->create = cases[i].there ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH;
		int failed = engine_open(&cases[i].choice, &engine, why, sizeof why, &e);
		CHECK_MSG(failed == (cases[i].kernels ? 0 : -1), "case %zu: %s", i, e.msg);
		CHECK_MSG(strstr(failed ? e.msg : why, cases[i].says), "case %zu: %s", i, failed ? e.msg : why);
		CHECK(failed || strcmp(engine->kernels, cases[i].kernels) == 0);
		if (!failed)
			engine_close(engine);
	}
	// a wish for cuDNN never ends on the CPU: not where the GPU works without it, nor where there is none
	struct engine *engine;
	struct err e = { "" };
	char why[ENGINE_WHY_BYTES];
	emulate_devices(0, cudaErrorNoDevice);
	CHECK(engine_open(&(struct engine_choice){ .device = "auto", .kernels = "cudnn" }, &engine, why, sizeof why, &e) == -1);
	CHECK_MSG(strstr(e.msg, "sees no GPU"), "%s", e.msg);
	emulate_devices(1, cudaSuccess);
	if (fake)
		fixture_controls();
}
