// command: the commands of the program `lenet`, one file each. A command gets its own argv (argv[0] is its name) and returns the
// exit status: 0, 1 for a failure, 2 for wrong usage.
#pragma once

#include "core/engine.h"

// Passed by main.c, which alone may include kernels/engines.h.
struct program {
	int (*engine_open)(const struct engine_choice *, struct engine **engine, char *why, int why_bytes, struct err *e);
	const char *path; // argv[0]
};

int command_train(const struct program *program, int argc, char **argv);
int command_fetch(const struct program *program, int argc, char **argv);
int command_eval(const struct program *program, int argc, char **argv);
int command_calibrate(const struct program *program, int argc, char **argv);
int command_predict(const struct program *program, int argc, char **argv);
int command_info(const struct program *program, int argc, char **argv);
int command_sweep(const struct program *program, int argc, char **argv);
int command_plot(const struct program *program, int argc, char **argv);
int command_grid(const struct program *program, int argc, char **argv);
int command_export(const struct program *program, int argc, char **argv);
int command_bench(const struct program *program, int argc, char **argv);
