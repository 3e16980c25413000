// options: parses the command line of one command, prints its help and its errors.
#pragma once

#include "core/engine.h"
#include "core/err.h"
#include "models/commands/command.h"

#include <stdbool.h>

// One option. Set exactly one of flag, text and count; with `flag` or `preset` the option takes no value.
struct option {
	const char *name; // "data" is written --data; a single letter, -o
	const char *value; // the name of its value in the help: "DIR"
	const char *help; // effect, unit, and the default in brackets
	bool *flag;
	const char **text; // set to point into argv
	const char *preset; // for an old name of another option: warn, and set *text to this
	int *count; // a whole number from 1 to max; with `zero` from 0
	int max;
	bool zero;
};

// The rows of every command that computes: they fill a struct engine_choice.
#define OPTIONS_ENGINE(choice)                                                                                                     \
	{ "device", "D", "compute on: cpu, cuda[:N], or auto, a GPU if one works (auto)", .text = &(choice).device },              \
		{ "kernels", "K", "on a GPU: cudnn, own, or auto: cuDNN if it works, own to train (auto)",                         \
		  .text = &(choice).kernels },                                                                                     \
		{ "cudnn", NULL, "old name of --kernels cudnn", .text = &(choice).kernels, .preset = "cudnn" },                    \
		{ "tf32", NULL, "with --kernels cudnn: use tensor cores, faster and less exact (off)", .flag = &(choice).tf32 },   \
	{                                                                                                                          \
		"isa", "ISA", "on the CPU: avx512, avx2 or portable (the best that it has)", .text = &(choice).isa                 \
	}

struct usage {
	const char *command; // "train"
	const char *arguments; // "RECIPE.json"
	const char *help; // a paragraph
	const struct option *options;
	int n_options;
	int min_arguments, max_arguments;
};

// Removes the options, and argv[0], the command's name, from argv: argv[0] to argv[*argc - 1] are then the arguments. "--" ends the
// options, "-" is an argument, and '-' and '_' are equal in names. Returns OPTIONS_OK, or the exit status if the command is to end:
// --help was printed (0), or the command line is wrong and the reason was printed (2).
enum { OPTIONS_OK = -1 };
int options_parse(const struct usage *usage, int *argc, char **argv);

// Print "lenet COMMAND: message" to standard error and return the exit status of a failure (1) or of wrong usage (2).
int options_fail(const struct usage *usage, const struct err *e);
int options_wrong(const struct usage *usage, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Opens the chosen engine. For a GPU it prints to standard error which kernels compute, and why.
int options_open_engine(const struct program *program, const struct engine_choice *choice, struct engine **engine, struct err *e);

// The number of processors that this process may use: the default of --threads.
int options_default_threads(void);
enum { OPTIONS_MAX_THREADS = 256 };
