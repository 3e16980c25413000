// options: what every command does with its command line, and how it speaks of its failures.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "models/commands/command.h"

#include <stdbool.h>

// One option. Where `flag` or `preset` is set it takes no value; exactly one of flag, text and count is set.
struct option {
	const char *name; // "data" is written --data; a single letter, -o
	const char *value; // what help calls its value: "DIR"
	const char *help;
	bool *flag;
	const char **text; // points into argv afterwards
	const char *preset; // an old name, which warns: what `text` becomes
	int *count; // a whole number from 1 to max, or, with `zero`, from 0
	int max;
	bool zero;
};

// What every command that computes says of its engine.
#define OPTIONS_ENGINE(choice)                                                                                                     \
	{ "device", "D", "auto, cpu or cuda[:N] (auto)", .text = &(choice).device },                                               \
		{ "kernels", "K", "on a GPU: cudnn, own, or auto: cuDNN where it works, but own to train (auto)",                  \
		  .text = &(choice).kernels },                                                                                     \
		{ "cudnn", NULL, "the old name of --kernels cudnn", .text = &(choice).kernels, .preset = "cudnn" },                \
		{ "tf32", NULL, "with --kernels cudnn: faster and coarser arithmetic, on tensor cores", .flag = &(choice).tf32 },  \
	{                                                                                                                          \
		"isa", "ISA", "on the CPU: avx512, avx2 or portable (the best it has)", .text = &(choice).isa                      \
	}

struct usage {
	const char *command; // "train"
	const char *arguments; // "RECIPE.json"
	const char *help; // a paragraph, or NULL
	const struct option *options;
	int n_options;
};

// Takes the options out of argv (argv[0] is the command's name) and leaves the other arguments, from argv[0] on, counted in
// *argc. "--" ends the options; "-" is an argument; in names '-' and '_' are the same. False if the command is to end
// with exit status *status: --help was printed (0), or what is wrong was said (2).
bool options_parse(const struct usage *usage, int *argc, char **argv, int *status);

// "lenet COMMAND: message" to standard error; the exit status of a failure (1) or of wrong usage (2).
int options_fail(const struct usage *usage, const struct err *e);
int options_wrong(const struct usage *usage, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Opens what OPTIONS_ENGINE chose. If that is a GPU, a line to standard error says which kernels compute, and why.
int options_open_engine(const struct program *program, const struct engine_choice *choice, struct engine **engine, struct err *e);

// How many threads this process may usefully run: what --threads is unless given.
int options_default_threads(void);
enum { OPTIONS_MAX_THREADS = 256 };
