// Chooses among the engines that are linked in: the GPU if one works, else the CPU, unless told which. To name an instruction
// set is to ask for the CPU.
#include "kernels/engines.h"

#include "kernels/cpu.h"
#include "kernels/cuda.h"

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

static int open_chosen(const struct engine_choice *choice, struct engine **engine, bool *gpu, char *why, int why_bytes,
		       struct err *e)
{
	bool automatic = strcmp(choice->device, "auto") == 0 && !choice->isa;
	bool cpu = strcmp(choice->device, "cpu") == 0 || (strcmp(choice->device, "auto") == 0 && choice->isa);
	struct cuda_options options = { 0, choice->cudnn, choice->tf32 };
	struct err no_gpu = { "" };
	if (!automatic && !cpu && device_number(choice->device, &options.device, e))
		return -1;
	if (choice->tf32 && !choice->cudnn)
		return err_set(e, "tf32 is cuDNN's: it goes with --cudnn only");
	if (cpu && choice->cudnn)
		return err_set(e, "cuDNN computes on a GPU only: not with --device cpu, nor with --isa");
	if (!cpu && choice->isa)
		return err_set(e, "--isa %.20s is the CPU's: not with --device %.20s", choice->isa, choice->device);
	if (!cpu && cuda_engine_open(&options, engine, &no_gpu) == 0) {
		snprintf(why, (size_t)why_bytes, "%s: %s", (*engine)->name, automatic ? "a GPU that works" : "asked for");
		*gpu = true;
		return 0;
	}
	if (!cpu && !automatic) {
		*e = no_gpu;
		return err_prefix(e, "device %.20s", choice->device);
	}
	if (cpu_engine_open(choice->isa, engine, e))
		return -1;
	snprintf(why, (size_t)why_bytes, "%s: %s", (*engine)->name, cpu ? "asked for" : no_gpu.msg);
	*gpu = false;
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
