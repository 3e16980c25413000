// A GPU that is none, for tests of what the daemon does with one that fails: linked in place of kernels/cuda/cuda.c. It computes as
// the CPU does, until the environment has it fail: LOST_GPU_PASS=N loses it in the N-th forward pass, counted from 1 (the
// daemon's first is its warm-up), FAILED_GPU_PASS=N has only that pass fail. It has a cuDNN with GPU_CUDNN=1.
#include "kernels/cpu/cpu.h"
#include "kernels/cuda/cuda.h"

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

static int forward(struct engine_context *context, const struct engine_model *model, const uint8_t *pixels, const float *ink, int n,
		   float *scores, struct err *e)
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
	return cpu->forward(context, model, pixels, ink, n, scores, e);
}

static int open_pretended(const char *name, const char *kernels, struct engine **engine, struct err *e)
{
	static struct engine_ops ops;
	if (cpu_engine_open(NULL, engine, e))
		return -1;
	cpu = (*engine)->ops;
	ops = *cpu;
	ops.forward = forward;
	(*engine)->ops = &ops;
	(*engine)->quick = false;
	(*engine)->kernels = kernels;
	snprintf((*engine)->name, sizeof(*engine)->name, "%s", name);
	lost_pass = number("LOST_GPU_PASS");
	failed_pass = number("FAILED_GPU_PASS");
	return 0;
}

int cuda_engine_open(int device, struct engine **engine, struct err *e)
{
	(void)device;
	return open_pretended("cuda (pretended)", "own", engine, e);
}

int cudnn_engine_open(int device, bool tf32, struct engine **engine, struct err *e)
{
	(void)device;
	if (!number("GPU_CUDNN"))
		return err_set(e, "no cuDNN is pretended");
	return open_pretended(tf32 ? "cuda (pretended, cuDNN, TF32)" : "cuda (pretended, cuDNN)", "cudnn", engine, e);
}
