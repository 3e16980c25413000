// options: what every command does with its command line, and how it speaks of its failures.
#pragma once

#include "core/err.h"

#include <stdbool.h>

// One option. Where `flag` is set it takes no value; else exactly one of text and count is.
struct option {
	const char *name; // "data" is written --data; a single letter, -o
	const char *value; // what help calls its value: "DIR"
	const char *help;
	bool *flag;
	const char **text; // points into argv afterwards
	int *count; // a whole number from 1 to max, or, with `zero`, from 0
	int max;
	bool zero;
};

// What every command that computes says of its engine.
#define OPTIONS_ENGINE(choice) \
	{ "device", "D", "auto, cpu or cuda[:N] (auto)", .text = &(choice).device }, \
	{ "cudnn", NULL, "on a GPU, cuDNN instead of our own kernels", .flag = &(choice).cudnn }, \
	{ "tf32", NULL, "with --cudnn: faster and coarser arithmetic, on tensor cores", .flag = &(choice).tf32 }, \
	{ "isa", "ISA", "on the CPU: avx512, avx2 or portable (the best it has)", .text = &(choice).isa }

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

// How many threads this process may usefully run: what --threads is unless given.
int options_default_threads(void);
enum { OPTIONS_MAX_THREADS = 256 };
