// `lenet train`: reads recipe and data, opens the engine and calls models/train.c. Every field of a recipe is also an option; its
// value is passed as text to recipe_read, which parses it.
#include "models/measure.h"
#include "models/commands/options.h"
#include "models/recipe.h"
#include "models/scenes.h"
#include "models/stop.h"
#include "models/train.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"Trains a network from a recipe, such as models/lab.json, and writes OUT.bin, a weights file, with OUT.steps.csv and\n"
	"OUT.epochs.csv beside it. Ctrl-C saves OUT.checkpoint and stops; --resume continues, and OUT.bin is the same, byte\n"
	"for byte, as without a break. An option named after a field of the recipe replaces that field.";

struct arguments {
	const char *recipe, *out, *data;
	struct engine_choice engine;
	int threads;
	bool resume;
	const char *fields[RECIPE_N_FIELDS];
};

// Prints a word so that a shell reads it back as one word.
static void print_quoted(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
	if (*word && !word[strspn(word, plain)]) {
		fputs(word, stderr);
		return;
	}
	putc('\'', stderr);
	for (; *word; word++)
		fputs(*word == '\'' ? "'\\''" : (const char[]){ *word, '\0' }, stderr);
	putc('\'', stderr);
}

static void print_resume(const struct program *program, int argc, char **argv, bool resumed)
{
	fprintf(stderr, "stopped; the checkpoint is saved. To continue:\n  ");
	print_quoted(program->path);
	for (int i = 0; i < argc; i++) {
		putc(' ', stderr);
		print_quoted(argv[i]);
	}
	fprintf(stderr, "%s\n", resumed ? "" : " --resume");
}

// all, scenes, test: owned by the caller; the job has views of them.
static int read_data(const struct arguments *a, struct train_job *job, struct idx *all, struct idx *scenes, struct idx *test,
		     const char **dir, struct err *e)
{
	if (measure_data(a->data, IDX_TRAIN, all, dir, e) || train_split(job->recipe, all, &job->train, &job->measured, e))
		return -1;
	const struct scenes_counts counts = { job->recipe->scenes, job->recipe->outliers };
	if (counts.scenes || counts.outliers) {
		if (scenes_add(&job->train, counts, job->recipe->seed, a->threads, scenes, e))
			return -1;
		job->train = *scenes;
	}
	if (job->recipe->validation) {
		job->measured_as = "validation";
		snprintf(job->measured_on, sizeof job->measured_on, "the last %u training pictures", job->measured.n);
		return 0;
	}
	if (measure_data(*dir, IDX_TEST, test, dir, e))
		return -1;
	job->measured = *test;
	job->measured_as = "test";
	snprintf(job->measured_on, sizeof job->measured_on, "the %u pictures of the test set", test->n);
	return 0;
}

static enum train_result run(const struct program *program, const struct arguments *a, struct err *e)
{
	enum train_result result = TRAIN_FAILED;
	struct idx all = { 0 }, scenes = { 0 }, test = { 0 };
	struct recipe recipe;
	const char *dir;
	struct train_job job = {
		.recipe = &recipe,
		.n_threads = a->threads,
		.out = a->out,
		.resume = a->resume,
		.stopped = stop_signal,
		.lines = stdout,
	};
	if (recipe_read(a->recipe, a->fields, &recipe, e) || read_data(a, &job, &all, &scenes, &test, &dir, e) ||
	    options_open_engine(program, &a->engine, &job.engine, e))
		goto out;
	printf("%s: network %s, %u pictures of %s, measured on %s; %s, %d thread%s\n", a->recipe, lenet5_at(recipe.network)->name,
	       job.train.n, dir, job.measured_on, job.engine->name, a->threads, a->threads > 1 ? "s" : "");
	fflush(stdout);
	stop_catch();
	result = train_run(&job, e);
out:
	engine_close(job.engine);
	idx_free(&test);
	idx_free(&scenes);
	idx_free(&all);
	return result;
}

int command_train(const struct program *program, int argc, char **argv)
{
	struct arguments a = { .out = "lenet.bin",
			       .engine = { .device = "auto", .training = true },
			       .threads = options_default_threads() };
	const struct option own[] = {
		{ "o", "OUT.bin", "weights file to write (lenet.bin)", .text = &a.out },
		{ "resume", NULL, "continue the run that OUT.checkpoint holds", .flag = &a.resume },
		{ "data", "DIR", "folder of MNIST's files (data)", .text = &a.data },
		{ "threads", "N", "number of threads (one per processor)", .count = &a.threads, .max = OPTIONS_MAX_THREADS },
		OPTIONS_ENGINE(a.engine),
	};
	enum { N_OWN = sizeof own / sizeof own[0] };
	struct option options[N_OWN + RECIPE_N_FIELDS];
	memcpy(options, own, sizeof own);
	for (int i = 0; i < RECIPE_N_FIELDS; i++) {
		struct recipe_field field = recipe_field_at(i);
		options[N_OWN + i] = (struct option){ field.name, "VALUE", field.help, .text = &a.fields[i] };
	}
	const struct usage usage = { "train", "RECIPE.json", help, options, N_OWN + RECIPE_N_FIELDS, 1, 1 };

	char *given[argc]; // options_parse takes argv apart
	memcpy(given, argv, (size_t)argc * sizeof *argv);
	int n_given = argc;
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	a.recipe = argv[0];

	struct err e;
	switch (run(program, &a, &e)) {
	case TRAIN_DONE:
		printf("wrote %s\n", a.out);
		return 0;
	case TRAIN_STOPPED:
		print_resume(program, n_given, given, a.resume);
		return 128 + stop_signal();
	default:
		return options_fail(&usage, &e);
	}
}
