// The program `lenet`: finds the command in a table and runs it (models/commands/command.h).
#include "core/version.h"
#include "kernels/engines.h"
#include "models/commands/command.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *summary;
	int (*run)(const struct program *, int argc, char **argv);
} commands[] = {
	{ "train", "train a network from a recipe", command_train },
	{ "sweep", "train many networks and compare them", command_sweep },
	{ "plot", "draw loss, accuracy, mistakes or filters", command_plot },
	{ "grid", "draw test pictures with labels and answers", command_grid },
	{ "fetch", "download MNIST", command_fetch },
	{ "eval", "measure a network on the test set", command_eval },
	{ "calibrate", "fit how sure a network has to be", command_calibrate },
	{ "predict", "read the digit in a picture", command_predict },
	{ "info", "show what a weights file holds", command_info },
	{ "export", "write a network as an ONNX model", command_export },
	{ "bench", "measure how fast this machine computes a network", command_bench },
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_usage(FILE *to)
{
	fprintf(to, "usage: lenet COMMAND [ARGUMENT]...\n\n");
	for (int i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fprintf(to, "\n`lenet help COMMAND` lists its arguments and options.\n");
}

static int run(const struct program *program, int argc, char **argv)
{
	for (int i = 0; i < N_COMMANDS; i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			return commands[i].run(program, argc, argv);
	fprintf(stderr, "lenet: unknown command \"%s\"\n", argv[0]);
	print_usage(stderr);
	return 2;
}

static int dispatch(const struct program *program, int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : "";
	bool help = strcmp(first, "help") == 0;
	if (help && argc > 2)
		return run(program, 2, (char *[]){ argv[2], (char[]){ "--help" }, NULL });
	if (help || strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
		print_usage(stdout);
		return 0;
	}
	if (strcmp(first, "--version") == 0) {
		printf("lenet %s\n", LENET_VERSION);
		return 0;
	}
	if (argc > 1)
		return run(program, argc - 1, argv + 1);
	print_usage(stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const struct program program = { engine_open, argc > 0 ? argv[0] : "lenet" };
	int status = dispatch(&program, argc, argv);
	// A full disk may show only when the buffer is written.
	if (fflush(stdout) || ferror(stdout)) {
		perror("lenet: standard output");
		status = status ? status : 1;
	}
	return status;
}
