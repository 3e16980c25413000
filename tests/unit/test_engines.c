// What may be asked of the chooser, and what it says: its CPU side, which is the same on every machine.
#include "kernels/cpu/cpu.h"
#include "kernels/engines.h"
#include "tests/unit/test.h"

#include <string.h>

TEST(engines_isa_is_the_one_asked_for)
{
	static const struct {
		const char *isa, *want;
	} cases[] = {
		{ "portable", "cpu (portable): asked for" },
		{ "avx2", "cpu (AVX2): asked for" },
		{ "avx512", "cpu (AVX-512): asked for" },
	};
	static const char *const devices[] = { "auto", "cpu" };
	for (int i = 0; i < 6; i++) {
		const struct engine_choice choice = { .device = devices[i % 2], .isa = cases[i / 2].isa };
		struct engine *engine;
		struct err e;
		char why[ENGINE_WHY_BYTES];
		if (cpu_engine_open(choice.isa, &engine, &e)) {
			test_skip("%s: %s", choice.isa, e.msg);
			continue;
		}
		engine_close(engine);
		CHECK_MSG(engine_open(&choice, &engine, why, sizeof why, &e) == 0, "%s", e.msg);
		CHECK_MSG(strcmp(why, cases[i / 2].want) == 0, "%s on %s: %s", choice.isa, choice.device, why);
		engine_close(engine);
		CHECK(engine_open_with_standby(&choice, NULL, &engine, why, sizeof why, &e) == 0);
		CHECK_MSG(strcmp(why, cases[i / 2].want) == 0, "%s on %s: %s", choice.isa, choice.device, why);
		engine_close(engine);
	}
}

TEST(engines_refuse_what_does_not_go_together)
{
	static const struct {
		struct engine_choice choice;
		const char *message;
	} cases[] = {
		{ { .device = "cuda", .isa = "portable" }, "--isa portable is for the CPU: not with --device cuda" },
		{ { .device = "cuda:1", .isa = "avx2" }, "not with --device cuda:1" },
		{ { .device = "auto", .isa = "portable", .kernels = "cudnn" }, "not with --device cpu or --isa" },
		{ { .device = "cpu", .isa = "mmx" }, "unknown instruction set \"mmx\"; there are: " },
		{ { .device = "auto", .isa = "" }, "unknown instruction set \"\"; there are: " },
		{ { .device = "abacus" }, "want auto, cpu, cuda or cuda:N" },
		{ { .device = "cpu", .kernels = "cudnn" }, "not with --device cpu" },
		{ { .device = "cpu", .tf32 = true }, "--tf32 needs --kernels cudnn" },
		{ { .device = "cpu", .kernels = "own", .tf32 = true }, "--tf32 needs --kernels cudnn" },
		{ { .device = "cpu", .kernels = "cublas" }, "kernels \"cublas\": want auto, cudnn or own" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct engine *engine = NULL;
		struct err e = { "" };
		char why[ENGINE_WHY_BYTES];
		CHECK_MSG(engine_open(&cases[i].choice, &engine, why, sizeof why, &e) == -1 && !engine, "case %zu was accepted", i);
		CHECK_MSG(strstr(e.msg, cases[i].message), "case %zu: %s", i, e.msg);
	}
}
