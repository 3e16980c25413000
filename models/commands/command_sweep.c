// `lenet sweep`: starts a `lenet train` for each run of a sweep. A run's folder holds its whole state: weights when it is finished, a
// checkpoint when it was stopped. So the same command continues after Ctrl-C, a power cut or a new seed in the file, and a cluster's
// scheduler can start single runs with --run.
#include "core/file.h"
#include "core/weights.h"
#include "models/children.h"
#include "models/commands/command.h"
#include "models/measure.h"
#include "models/commands/options.h"
#include "models/progress.h"
#include "models/record.h"
#include "models/stop.h"
#include "models/sweep_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
	"Trains every point of the sweep with every seed, --jobs runs at once, each on one thread in DIR/POINT/seed=N. Keeps\n"
	"finished runs and continues stopped ones. Then prints a table over the seeds and writes DIR/accuracy.csv, with every\n"
	"epoch. A sweep file is {\"seeds\": [1, 2], \"grids\": [{\"recipe\": \"lab.json\", \"lr\": [0.01, 0.1]}]}; the points of "
	"a\n"
	"grid are all combinations of its values. Examples, and a script for Slurm, are in models/sweeps/.";

struct arguments {
	const char *file, *dir, *data;
	struct engine_choice engine;
	int jobs, run; // run: from 1; 0: all
	bool list, json;
};

struct work {
	const struct program *program;
	const struct arguments *arguments;
	struct sweep sweep;
	struct children children;
	struct progress progress;
	FILE *lines; // for a line a run: standard output, or standard error with --json
	bool has_data; // MNIST was found
	int n_done, n_failed;
};

// The arguments of one `lenet train`, and the paths that they point to.
struct training {
	char recipe[SWEEP_PATH], out[SWEEP_PATH], checkpoint[SWEEP_PATH], log[SWEEP_PATH];
	const char *argv[20];
};

static int make_folders(const char *path, struct err *e)
{
	char folder[SWEEP_PATH];
	snprintf(folder, sizeof folder, "%s", path);
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0777) && errno != EEXIST)
			return err_errno(e, "%s", folder);
		*slash = '/';
	}
	return 0;
}

// 1: the run's weights file exists and was made by its recipe. 0: it does not exist.
static int is_finished(const struct work *w, int run, struct err *e)
{
	char path[SWEEP_PATH];
	struct recipe want = sweep_recipe(&w->sweep, run), made;
	if (sweep_path(&w->sweep, w->arguments->dir, run, "lenet.bin", path, e))
		return -1;
	if (access(path, F_OK))
		return 0;
	if (record_recipe(path, &made, e))
		return -1;
	if (recipe_equal(&want, &made, e))
		return 1;
	return err_prefix(e, "%s was made by another recipe; remove it, or choose another folder with -o", path);
}

static int prepare(const struct work *w, int run, struct training *t, struct err *e)
{
	const struct arguments *a = w->arguments;
	struct recipe recipe = sweep_recipe(&w->sweep, run);
	char text[RECIPE_TEXT];
	recipe_print(&recipe, text);
	if (sweep_path(&w->sweep, a->dir, run, "recipe.json", t->recipe, e) ||
	    sweep_path(&w->sweep, a->dir, run, "lenet.bin", t->out, e) ||
	    sweep_path(&w->sweep, a->dir, run, "lenet.checkpoint", t->checkpoint, e) ||
	    sweep_path(&w->sweep, a->dir, run, "train.log", t->log, e) || make_folders(t->recipe, e) ||
	    file_write(t->recipe, text, strlen(text), e))
		return -1;
	const char *threads = a->run ? NULL : "1"; // with --run: all processors
	const char *const names[] = { "-o", "--device", "--kernels", "--isa", "--data", "--threads" };
	const char *const values[] = { t->out, a->engine.device, a->engine.kernels, a->engine.isa, a->data, threads };
	int n = 0;
	t->argv[n++] = w->program->path;
	t->argv[n++] = "train";
	t->argv[n++] = t->recipe;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (values[i]) {
			t->argv[n++] = names[i];
			t->argv[n++] = values[i];
		}
	}
	if (a->engine.tf32)
		t->argv[n++] = "--tf32";
	if (access(t->checkpoint, F_OK) == 0)
		t->argv[n++] = "--resume";
	t->argv[n] = NULL;
	return 0;
}

static void say(struct work *w, int run, const char *what)
{
	progress_clear(&w->progress);
	fprintf(w->lines, "%d/%d %s, seed %u: %s\n", w->n_done + w->n_failed, sweep_n_runs(&w->sweep),
		w->sweep.points[run / w->sweep.n_seeds].name, w->sweep.seeds[run % w->sweep.n_seeds], what);
	fflush(w->lines);
}

static void say_failed(struct work *w, int run, const char *why)
{
	struct err e;
	w->n_failed++;
	err_set(&e, "failed: %s", why);
	say(w, run, e.msg);
}

static void say_ended(struct work *w, int run, int status)
{
	char path[SWEEP_PATH], line[300], what[64];
	struct weights weights = { 0 };
	struct err e;
	if (stop_signal() && status == 128 + stop_signal())
		return;
	if (status) {
		if (sweep_path(&w->sweep, w->arguments->dir, run, "train.log", path, &e) == 0) {
			file_last_line(path, line, sizeof line);
			err_set(&e, "%s (%s, exit status %d)", line, path, status);
		}
		say_failed(w, run, e.msg);
	} else if (sweep_path(&w->sweep, w->arguments->dir, run, "lenet.bin", path, &e) || weights_read(path, NULL, &weights, &e)) {
		say_failed(w, run, e.msg);
	} else {
		const char *test = weights_get(&weights, "test_accuracy");
		const char *held_out = weights_get(&weights, "validation_accuracy");
		const char *accuracy = test ? test : held_out ? held_out : "nan";
		snprintf(what, sizeof what, "%.2f %%", 100 * strtod(accuracy, NULL));
		w->n_done++;
		say(w, run, what);
	}
	weights_free(&weights);
}

static void show_progress(struct work *w)
{
	char tail[64];
	int n = sweep_n_runs(&w->sweep), ended = w->n_done + w->n_failed;
	snprintf(tail, sizeof tail, "%d of %d runs, %d at once", ended, n, w->children.n);
	progress_show(&w->progress, "sweep", (double)ended / n, tail);
}

// Checks once that there are pictures, rather than letting every run fail.
static int look_for_data(struct work *w, struct err *e)
{
	struct idx data;
	const char *dir;
	if (w->has_data)
		return 0;
	if (measure_data(w->arguments->data, IDX_TRAIN, &data, &dir, e))
		return -1;
	idx_free(&data);
	w->has_data = true;
	return 0;
}

// Returns -1 only if no run can work; a single run that cannot be started is reported and counted as failed.
static int start(struct work *w, int run, struct err *e)
{
	static struct training t;
	int finished = is_finished(w, run, e);
	if (finished > 0) {
		w->n_done++;
		return 0;
	}
	if (finished == 0 && look_for_data(w, e))
		return -1;
	if (finished < 0 || prepare(w, run, &t, e) || children_start(&w->children, run, t.argv, t.log, e))
		say_failed(w, run, e->msg);
	return 0;
}

// Starts the unfinished runs and waits for them. After a signal it starts no more, passes the signal on and waits.
static int run_all(struct work *w, struct err *e)
{
	int next = 0, n = sweep_n_runs(&w->sweep), ended, how, status = 0;
	bool told = false;
	progress_begin(&w->progress);
	while (w->children.n || (next < n && !status && !stop_signal())) {
		while (next < n && w->children.n < w->arguments->jobs && !status && !stop_signal())
			status = start(w, next++, e);
		if (stop_signal() && !told) {
			children_signal(&w->children, stop_signal());
			told = true;
		}
		while (children_ended(&w->children, &ended, &how))
			say_ended(w, ended, how);
		show_progress(w);
		if (w->children.n)
			nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	progress_clear(&w->progress);
	return status;
}

// Replaces this process by the training, so that a scheduler sees its signals, exit status and output.
static int run_one(const struct work *w, int run, struct err *e)
{
	static struct training t;
	int finished = is_finished(w, run, e);
	if (finished > 0)
		printf("run %d is finished\n", run + 1);
	if (finished || prepare(w, run, &t, e))
		return finished > 0 ? 0 : -1;
	execv("/proc/self/exe", (char *const *)(uintptr_t)t.argv);
	return err_errno(e, "%s", w->program->path);
}

static int list_runs(const struct work *w, struct err *e)
{
	for (int run = 0; run < sweep_n_runs(&w->sweep); run++) {
		char path[SWEEP_PATH];
		int finished = is_finished(w, run, e);
		if (finished < 0 || sweep_path(&w->sweep, w->arguments->dir, run, "", path, e))
			return -1;
		printf("%d\t%s\t%s\n", run + 1, finished ? "finished" : "to do", path);
	}
	return 0;
}

static int print_table(const struct work *w, struct err *e)
{
	char path[SWEEP_PATH];
	struct sweep_table table;
	if (snprintf(path, sizeof path, "%s/accuracy.csv", w->arguments->dir) >= (int)sizeof path)
		return err_set(e, "%.40s...: too long a name", w->arguments->dir);
	if (sweep_table_read(&w->sweep, w->arguments->dir, &table, e))
		return -1;
	int status = make_folders(path, e);
	if (!status)
		status = sweep_table_write_csv(&table, path, e);
	if (!status && w->arguments->json)
		status = sweep_table_print_json(&table, stdout, e);
	else if (!status)
		sweep_table_print(&table, stdout);
	sweep_table_free(&table);
	return status;
}

static int run(struct work *w, struct err *e)
{
	const struct arguments *a = w->arguments;
	if (sweep_read(a->file, &w->sweep, e))
		return -1;
	if (a->run > sweep_n_runs(&w->sweep))
		return err_set(e, "--run %d: %s has %d", a->run, a->file, sweep_n_runs(&w->sweep));
	if (a->list)
		return list_runs(w, e);
	if (a->run)
		return run_one(w, a->run - 1, e);
	stop_catch();
	if (run_all(w, e))
		return -1;
	return stop_signal() ? 0 : print_table(w, e);
}

// runs/NAME for a sweep file NAME.json.
static void default_folder(const char *file, char *dir, size_t size)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file, *dot = strrchr(name, '.');
	snprintf(dir, size, "runs/%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
}

int command_sweep(const struct program *program, int argc, char **argv)
{
	struct arguments a = { .engine.device = "auto", .jobs = options_default_threads() };
	const struct option options[] = {
		{ "o", "DIR", "folder of the runs (runs/NAME, for NAME.json)", .text = &a.dir },
		{ "jobs", "N", "number of runs at once (one per processor)", .count = &a.jobs, .max = CHILDREN_MAX },
		{ "list", NULL, "train nothing; list the runs: number, state, folder", .flag = &a.list },
		{ "run", "N", "train only run N of --list, on all processors; print no table", .count = &a.run,
		  .max = SWEEP_MAX_RUNS },
		{ "data", "DIR", "folder of MNIST's files (data)", .text = &a.data },
		{ "json", NULL, "print the table as JSON, with every epoch", .flag = &a.json },
		OPTIONS_ENGINE(a.engine),
	};
	const struct usage usage = { "sweep", "SWEEP.json", help, options, sizeof options / sizeof options[0], 1, 1 };
	struct err e;
	char dir[SWEEP_PATH];
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	a.file = argv[0];
	if (!a.dir) {
		default_folder(a.file, dir, sizeof dir);
		a.dir = dir;
	}
	struct work w = { .program = program, .arguments = &a, .lines = a.json ? stderr : stdout };
	status = run(&w, &e) ? options_fail(&usage, &e) : w.n_failed > 0;
	if (w.n_failed)
		fprintf(stderr, "lenet sweep: %d of %d runs failed\n", w.n_failed, sweep_n_runs(&w.sweep));
	sweep_free(&w.sweep);
	if (!stop_signal())
		return status;
	fprintf(stderr, "stopped; checkpoints are saved. The same command continues the sweep.\n");
	return 128 + stop_signal();
}
