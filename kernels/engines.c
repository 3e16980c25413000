// Chooses among the engines that are linked in: the GPU if one works, else the CPU. An option that names a device overrides this; an
// instruction set asks for the CPU, cuDNN for a GPU.
#include "kernels/engines.h"

#include "kernels/cpu/cpu.h"
#include "kernels/cuda/cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// "cuda" is the first device, "cuda:N" the one that the CUDA runtime calls N.
static int device_number(const char *device, int *number, struct err *e)
{
	*number = 0;
	if (strcmp(device, "cuda") == 0)
		return 0;
	char *end = NULL;
	long n = strncmp(device, "cuda:", 5) == 0 && device[5] >= '0' && device[5] <= '9' ? strtol(device + 5, &end, 10) : -1;
	if (n < 0 || n > 1023 || *end)
		return err_set(e, "device \"%.20s\": want auto, cpu, cuda or cuda:N", device);
	*number = (int)n;
	return 0;
}

// A struct engine_choice, parsed.
struct wish {
	bool automatic, cpu; // any device; the CPU; if neither, the GPU `device`
	int device;
	bool cudnn, own; // these kernels; if neither, cuDNN where it works
};

static int read_wish(const struct engine_choice *choice, struct wish *wish, struct err *e)
{
	const char *kernels = choice->kernels ? choice->kernels : "auto";
	bool any = strcmp(choice->device, "auto") == 0;
	struct wish w = {
		.automatic = any && !choice->isa,
		.cpu = strcmp(choice->device, "cpu") == 0 || (any && choice->isa),
		.cudnn = strcmp(kernels, "cudnn") == 0,
		.own = strcmp(kernels, "own") == 0 || (strcmp(kernels, "auto") == 0 && choice->training),
	};
	if (!any && !w.cpu && device_number(choice->device, &w.device, e))
		return -1;
	if (!w.cudnn && !w.own && strcmp(kernels, "auto") != 0)
		return err_set(e, "kernels \"%.20s\": want auto, cudnn or own", kernels);
	if (choice->tf32 && !w.cudnn)
		return err_set(e, "--tf32 needs --kernels cudnn");
	if (w.cpu && w.cudnn)
		return err_set(e, "cuDNN needs a GPU: not with --device cpu or --isa");
	if (!w.cpu && choice->isa)
		return err_set(e, "--isa %.20s is for the CPU: not with --device %.20s", choice->isa, choice->device);
	*wish = w;
	return 0;
}

// Opens cuDNN's engine, and fails unless it opens a context, which plans the convolutions and checks the bits.
static int try_cudnn(const struct wish *wish, int max_batch, struct engine **engine, struct err *e)
{
	struct engine *cudnn;
	struct engine_context *context;
	if (cudnn_engine_open(wish->device, false, &cudnn, e))
		return -1;
	if (engine_context_open(cudnn, max_batch > 0 ? max_batch : 1, 1, &context, e)) {
		engine_close(cudnn);
		return -1;
	}
	engine_context_close(context);
	*engine = cudnn;
	return 0;
}

static int open_gpu(const struct engine_choice *choice, const struct wish *wish, struct engine **engine, char *why,
		    size_t why_bytes, struct err *e)
{
	const char *reason = wish->automatic ? "a GPU that works" : "asked for";
	struct engine *own, *cudnn;
	struct err no_cudnn;
	if (wish->cudnn ? cudnn_engine_open(wish->device, choice->tf32, &own, e) : cuda_engine_open(wish->device, &own, e))
		return -1;
	if (wish->cudnn || wish->own) {
		*engine = own;
		snprintf(why, why_bytes, "%s: %s", own->name, reason);
	} else if (try_cudnn(wish, choice->max_batch, &cudnn, &no_cudnn)) {
		*engine = own;
		snprintf(why, why_bytes, "%s: %s; own kernels, not cuDNN's: %.300s", own->name, reason, no_cudnn.msg);
	} else {
		engine_close(own);
		*engine = cudnn;
		snprintf(why, why_bytes, "%s: %s; cuDNN's bits do not depend on the batch", cudnn->name, reason);
	}
	return 0;
}

static int open_chosen(const struct engine_choice *choice, struct engine **engine, bool *gpu, char *why, int why_bytes,
		       struct err *e)
{
	struct wish wish = { .cpu = false };
	struct err no_gpu = { "" };
	if (read_wish(choice, &wish, e))
		return -1;
	*gpu = !wish.cpu && open_gpu(choice, &wish, engine, why, (size_t)why_bytes, &no_gpu) == 0;
	if (*gpu)
		return 0;
	if (!wish.cpu && (!wish.automatic || wish.cudnn)) {
		*e = no_gpu;
		return wish.cudnn ? err_prefix(e, "--kernels cudnn") : err_prefix(e, "device %.20s", choice->device);
	}
	if (cpu_engine_open(choice->isa, engine, e))
		return -1;
	snprintf(why, (size_t)why_bytes, "%s: %s", (*engine)->name, wish.cpu ? "asked for" : no_gpu.msg);
	return 0;
}

int engine_open(const struct engine_choice *choice, struct engine **engine, char *why, int why_bytes, struct err *e)
{
	bool gpu;
	return open_chosen(choice, engine, &gpu, why, why_bytes, e);
}

int engine_open_with_standby(const struct engine_choice *choice, const struct standby_watch *watch, struct engine **engine,
			     char *why, int why_bytes, struct err *e)
{
	bool gpu;
	struct engine *chosen, *cpu;
	if (open_chosen(choice, &chosen, &gpu, why, why_bytes, e))
		return -1;
	if (!gpu) {
		*engine = chosen;
		return 0;
	}
	if (cpu_engine_open(NULL, &cpu, e)) {
		engine_close(chosen);
		return -1;
	}
	if (standby_open(chosen, cpu, watch, engine, e)) {
		engine_close(cpu);
		engine_close(chosen);
		return -1;
	}
	size_t n = strlen(why);
	snprintf(why + n, (size_t)why_bytes - n, "; %s stands by", cpu->name);
	return 0;
}
