// Chooses among the engines that are linked in. There is one so far.
#include "kernels/engines.h"

#include "kernels/cpu.h"

#include <stdio.h>
#include <string.h>

int engine_open(const char *device, struct engine **engine, char *why, int why_bytes, struct err *e)
{
	if (strcmp(device, "cuda") == 0 || strncmp(device, "cuda:", 5) == 0)
		return err_set(e, "device %.20s: this build has no CUDA engine; use --device cpu", device);
	if (strcmp(device, "auto") != 0 && strcmp(device, "cpu") != 0)
		return err_set(e, "device \"%.20s\": want auto, cpu or cuda[:N]", device);
	if (cpu_engine_open(NULL, engine, e))
		return -1;
	snprintf(why, (size_t)why_bytes, "%s: %s", (*engine)->name,
		 strcmp(device, "cpu") == 0 ? "asked for" : "this build has no CUDA engine");
	return 0;
}
