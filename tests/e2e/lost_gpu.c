// A GPU that is none, for tests of what the daemon does with one that fails: linked in place of kernels/cuda.c. It computes as
// the CPU does, until the environment has it fail: LOST_GPU_PASS=N loses it in the N-th forward pass, counted from 1 (the
// daemon's first is its warm-up), FAILED_GPU_PASS=N has only that pass fail.
#include "kernels/cpu.h"
#include "kernels/cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct engine_ops *cpu;
static int lost_pass, failed_pass, n_passes; // n_passes: atomic

static int number(const char *variable)
{
	const char *value = getenv(variable);
	return value ? atoi(value) : 0;
}

static int forward(struct engine_context *context, const struct engine_model *model, const float *ink, int n, float *scores,
		   struct err *e)
{
	struct engine *engine = context->engine;
	int pass = __atomic_add_fetch(&n_passes, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < n * LENET5_DIGITS; i++)
		scores[i] = NAN; // what a failure leaves behind is not to be trusted
	if (pass == lost_pass)
		__atomic_store_n(&engine->lost, true, __ATOMIC_RELEASE);
	if (engine_lost(engine))
		return err_set(e, "pass %d: this card has fallen off the bus", pass);
	if (pass == failed_pass)
		return err_set(e, "pass %d: this card is out of sorts", pass);
	return cpu->forward(context, model, ink, n, scores, e);
}

int cuda_engine_open(const struct cuda_options *options, struct engine **engine, struct err *e)
{
	static struct engine_ops ops;
	if (cpu_engine_open(NULL, engine, e))
		return -1;
	cpu = (*engine)->ops;
	ops = *cpu;
	ops.forward = forward;
	(*engine)->ops = &ops;
	(*engine)->quick = false;
	snprintf((*engine)->name, sizeof (*engine)->name, "cuda (pretended%s%s)", options->cudnn ? ", cuDNN" : "",
		 options->tf32 ? ", TF32" : "");
	lost_pass = number("LOST_GPU_PASS");
	failed_pass = number("FAILED_GPU_PASS");
	return 0;
}
