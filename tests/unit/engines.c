// An engine that was asked for by name and is not there is no skip: whoever asked wants to know of that one.
#include "tests/unit/engines.h"

#include "kernels/cpu/cpu.h"
#include "kernels/engines.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	struct engine_choice choice;
} named[] = {
	{ "cpu", { .device = "cpu" } },
	{ "cuda", { .device = "cuda", .kernels = "own" } },
	{ "cudnn", { .device = "cuda", .kernels = "cudnn" } },
	{ "tf32", { .device = "cuda", .kernels = "cudnn", .tf32 = true } },
};

struct engine *engines_open(void)
{
	const char *name = getenv("TEST_ENGINE");
	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
		struct engine *engine;
		struct err e;
		char why[ENGINE_WHY_BYTES];
		if (strcmp(name ? name : "cpu", named[i].name) != 0)
			continue;
		if (engine_open(&named[i].choice, &engine, why, sizeof why, &e) == 0)
			return engine;
		fprintf(stderr, "TEST_ENGINE=%s: %s\n", named[i].name, e.msg);
		exit(2);
	}
	fprintf(stderr, "TEST_ENGINE=%s: want cpu, cuda, cudnn or tf32\n", name);
	exit(2);
}

struct engine *engines_next(int *i)
{
	static const char *const isas[] = { "portable", "avx2", "avx512" };
	if (getenv("TEST_ENGINE"))
		return (*i)++ ? NULL : engines_open();
	while (*i < 3) {
		struct engine *engine;
		struct err e;
		const char *isa = isas[(*i)++];
		if (cpu_engine_open(isa, &engine, &e) == 0)
			return engine;
		test_skip("%s: %s", isa, e.msg);
	}
	return NULL;
}
