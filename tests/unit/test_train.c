// The trainer over an engine that only pretends (fake_trainer.h). Each run writes into a folder under build/.
#include "models/train.h"

#include "core/rng.h"
#include "core/weights.h"
#include "models/measure.h"
#include "tests/unit/fake_trainer.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_TRAIN = 500, N_TEST = 40 };

static int n_asked, stop_after; // stop at that question; 0: never
static int stopped(void)
{
	return ++n_asked == stop_after;
}

// Noise with labels, the recipe, and a job over both in a fresh folder.
struct fixture {
	struct recipe recipe;
	uint8_t *pixels, labels[N_TRAIN];
	char dir[64], out[96], steps[96], epochs[96], checkpoint[96];
	struct train_job job;
};

static void set_up(struct fixture *f)
{
	struct rng rng;
	rng_init(&rng, 11);
	*f = (struct fixture){ 0 };
	f->pixels = malloc(N_TRAIN * LENET5_PIXELS);
	for (int i = 0; i < N_TRAIN * LENET5_PIXELS; i++)
		f->pixels[i] = (uint8_t)rng_next(&rng);
	for (int i = 0; i < N_TRAIN; i++)
		f->labels[i] = (uint8_t)rng_below(&rng, LENET5_DIGITS);
	f->recipe = (struct recipe){ .epochs = 3,
				     .batch = 16,
				     .lr = 0.1,
				     .momentum = 0.9,
				     .schedule = RECIPE_COSINE,
				     .warmup = 5,
				     .j = 0.1,
				     .mu = 0.02,
				     .curvature_pictures = 500,
				     .seed = 4,
				     .distort = { .rotate = 5, .shift = 1, .elastic = 1, .elastic_sigma = 4 } };
	strcpy(f->dir, "build/test-train-XXXXXX");
	CHECK(mkdtemp(f->dir) != NULL);
	snprintf(f->out, sizeof f->out, "%s/a.bin", f->dir);
	snprintf(f->steps, sizeof f->steps, "%s/a.steps.csv", f->dir);
	snprintf(f->epochs, sizeof f->epochs, "%s/a.epochs.csv", f->dir);
	snprintf(f->checkpoint, sizeof f->checkpoint, "%s/a.checkpoint", f->dir);
	f->job = (struct train_job){ .recipe = &f->recipe,
				     .engine = &fake_trainer,
				     .n_threads = 1,
				     .train = { N_TRAIN, f->pixels, f->labels },
				     .measured = { N_TEST, f->pixels, f->labels },
				     .measured_as = "test",
				     .measured_on = "noise",
				     .out = f->out,
				     .stopped = stopped };
	fake_training = (struct fake_training){ 0 };
	n_asked = stop_after = 0;
}

static void tear_down(struct fixture *f)
{
	unlink(f->out);
	unlink(f->steps);
	unlink(f->epochs);
	unlink(f->checkpoint);
	CHECK(rmdir(f->dir) == 0); // nothing else was left there
	free(f->pixels);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool same_files(const char *a, const char *b)
{
	size_t n, m;
	unsigned char *x = test_file(a, &n), *y = test_file(b, &m);
	bool same = n == m && memcmp(x, y, n) == 0;
	free(x);
	free(y);
	return same;
}

static int lines_in(const char *path)
{
	size_t n;
	unsigned char *text = test_file(path, &n);
	int lines = 0;
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	free(text);
	return lines;
}

static void check_same_results(const struct fixture *a, const struct fixture *b, int trial)
{
	CHECK_MSG(same_files(a->out, b->out), "%d: weights", trial);
	CHECK_MSG(same_files(a->steps, b->steps), "%d: steps", trial);
	CHECK_MSG(same_files(a->epochs, b->epochs), "%d: epochs", trial);
}

TEST(train_writes_its_files)
{
	struct fixture f;
	struct err e = { "" };
	struct weights w = { 0 };
	set_up(&f);
	CHECK_MSG(train_run(&f.job, &e) == TRAIN_DONE, "%s", e.msg);
	CHECK(lines_in(f.steps) == 1 + 3 * 32 && lines_in(f.epochs) == 1 + 3 && !exists(f.checkpoint));
	CHECK_MSG(weights_read(f.out, NULL, &w, &e) == 0, "%s", e.msg);
	static const char *const keys[] = { "recipe", "trained_on", "seed", "epochs", "test_accuracy", "test_loss", "measured_on" };
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		CHECK_MSG(weights_get(&w, keys[i]) != NULL, "%s", keys[i]);
	CHECK(w.momentum == NULL && w.n_meta == 7);
	weights_free(&w);
	tear_down(&f);
}

// Opening a context may take longer than an epoch.
TEST(train_opens_one_context_and_reads_parameters_once_an_epoch)
{
	struct fixture f;
	struct err e;
	set_up(&f);
	CHECK(train_run(&f.job, &e) == TRAIN_DONE);
	CHECK_MSG(fake_training.n_contexts == 1 && fake_training.n_reads == 3, "%d contexts, %d reads", fake_training.n_contexts,
		  fake_training.n_reads);
	tear_down(&f);
}

TEST(train_bits_do_not_depend_on_threads)
{
	struct fixture one, three;
	struct err e;
	set_up(&one);
	CHECK(train_run(&one.job, &e) == TRAIN_DONE);
	set_up(&three);
	three.job.n_threads = 3;
	CHECK(train_run(&three.job, &e) == TRAIN_DONE);
	check_same_results(&one, &three, 3);
	tear_down(&one);
	tear_down(&three);
}

// The recipe with rates from the curvature, which a checkpoint within an epoch has to bring along.
static void use_sdlm(struct fixture *f)
{
	struct err e;
	for (int k = 0; lenet5_at(k) != lenet5_find("1998", &e); k++)
		f->recipe.network = k + 1;
	f->recipe.loss = ENGINE_MAP;
	f->recipe.optimiser = RECIPE_SDLM;
	f->recipe.curvature_pictures = 20;
}

static void check_resumes(void (*change)(struct fixture *))
{
	struct fixture whole, broken;
	struct err e = { "" };
	set_up(&whole);
	change(&whole);
	CHECK(train_run(&whole.job, &e) == TRAIN_DONE);
	enum train_result result = TRAIN_STOPPED;
	for (int trial = 1; result == TRAIN_STOPPED; trial++) { // at every question, until none is left
		set_up(&broken);
		change(&broken);
		stop_after = trial;
		result = train_run(&broken.job, &e);
		CHECK_MSG(result == TRAIN_STOPPED || (result == TRAIN_DONE && trial > 5), "%d: %s", trial, e.msg);
		CHECK(exists(broken.checkpoint) == (result == TRAIN_STOPPED) && exists(broken.out) == (result == TRAIN_DONE));
		if (result == TRAIN_DONE) {
			tear_down(&broken);
			break;
		}
		broken.job.resume = true;
		CHECK_MSG(train_run(&broken.job, &e) == TRAIN_DONE, "%d: %s", trial, e.msg);
		check_same_results(&whole, &broken, trial);
		tear_down(&broken);
	}
	tear_down(&whole);
}

static void change_nothing(struct fixture *f)
{
	(void)f;
}

TEST(train_resumes_to_the_same_bits)
{
	check_resumes(change_nothing);
}

TEST(train_resumes_with_the_epochs_curvature)
{
	struct fixture plain, sdlm;
	struct err e = { "" };
	check_resumes(use_sdlm);
	set_up(&plain);
	set_up(&sdlm);
	use_sdlm(&plain);
	use_sdlm(&sdlm);
	plain.recipe.curvature_pictures = 21;
	CHECK(train_run(&plain.job, &e) == TRAIN_DONE && train_run(&sdlm.job, &e) == TRAIN_DONE);
	CHECK(!same_files(plain.steps, sdlm.steps)); // the curvature counts
	tear_down(&plain);
	tear_down(&sdlm);
}

// Stopped as by a power cut: lines were written that no checkpoint counts.
TEST(train_resume_drops_later_lines)
{
	struct fixture whole, broken;
	struct err e = { "" };
	set_up(&whole);
	CHECK(train_run(&whole.job, &e) == TRAIN_DONE);
	int n_whole = fake_training.n_calls;
	set_up(&broken);
	fake_training.fail_at = n_whole; // in the last epoch
	CHECK(train_run(&broken.job, &e) == TRAIN_FAILED && strcmp(e.msg, "the engine broke") == 0);
	CHECK(exists(broken.checkpoint) && !exists(broken.out));
	FILE *f = fopen(broken.steps, "a");
	fprintf(f, "95,3,149");
	fclose(f);
	broken.job.resume = true;
	fake_training.fail_at = 0;
	CHECK_MSG(train_run(&broken.job, &e) == TRAIN_DONE, "%s", e.msg);
	check_same_results(&whole, &broken, 0);
	tear_down(&whole);
	tear_down(&broken);
}

TEST(train_resume_refuses)
{
	struct fixture f;
	struct err e;
	set_up(&f);
	f.job.resume = true;
	CHECK(train_run(&f.job, &e) == TRAIN_FAILED && strstr(e.msg, "nothing to resume"));
	f.job.resume = false;
	stop_after = 3;
	CHECK(train_run(&f.job, &e) == TRAIN_STOPPED);
	CHECK(train_run(&f.job, &e) == TRAIN_FAILED && strstr(e.msg, "continue it with --resume"));

	f.job.resume = true;
	f.recipe.lr = 0.2;
	CHECK(train_run(&f.job, &e) == TRAIN_FAILED && strstr(e.msg, "lr is 0.2 here and 0.1 in the other"));
	f.recipe.lr = 0.1;
	f.job.train.n--;
	CHECK(train_run(&f.job, &e) == TRAIN_FAILED && strstr(e.msg, "trained on 500 pictures, the data here has 499"));
	f.job.train.n++;
	CHECK(truncate(f.steps, 60) == 0);
	CHECK(train_run(&f.job, &e) == TRAIN_FAILED && strstr(e.msg, "a.steps.csv: the checkpoint needs"));

	// A checkpoint whose position cannot be.
	static const char *const wrong[] = { "96", "-1", "nan", "1e30", "", "3x" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct weights w = { 0 };
		CHECK(weights_read(f.checkpoint, NULL, &w, &e) == 0);
		CHECK(weights_set(&w, "step", wrong[i], &e) == 0 && weights_write(f.checkpoint, &w, &e) == 0);
		weights_free(&w);
		CHECK_MSG(train_run(&f.job, &e) == TRAIN_FAILED && strstr(e.msg, "\"step\" is missing or wrong"), "%s: %s",
			  wrong[i], e.msg);
	}
	tear_down(&f);
}

TEST(train_stops_at_a_loss_that_is_no_number)
{
	struct fixture f;
	struct err e;
	set_up(&f);
	fake_training.nan_at = 40; // in the second epoch: there is a checkpoint of the first
	CHECK(train_run(&f.job, &e) == TRAIN_FAILED && strstr(e.msg, "--lr"));
	CHECK(!exists(f.out) && !exists(f.checkpoint));
	tear_down(&f);
}

TEST(train_says_where_it_cannot_write)
{
	struct fixture f;
	struct err e;
	set_up(&f);
	f.job.out = "build/no-such-folder/a.bin";
	CHECK(train_run(&f.job, &e) == TRAIN_FAILED && strstr(e.msg, "build/no-such-folder/a.steps.csv"));
	f.job.out = f.dir;
	CHECK(train_run(&f.job, &e) == TRAIN_FAILED && strstr(e.msg, "not the name of a file"));
	tear_down(&f);
}

// 2,500 pictures, so that there are three batches; every tenth is read wrong. The right class scores 1, the others 0.
TEST(measure_counts_and_averages)
{
	enum { N = 2500 };
	struct err e;
	struct measure m;
	struct idx data = { N, calloc(N, LENET5_PIXELS), calloc(N, 1) };
	struct lenet5_prediction *predictions = malloc(N * sizeof *predictions);
	for (uint32_t i = 0; i < N; i++) {
		data.labels[i] = (uint8_t)(i % 7);
		data.pixels[i * LENET5_PIXELS + 400 + (i % 10 ? i % 7 : 9)] = 255;
	}
	float params[1] = { 0 };
	const struct engine_network network = { lenet5_at(0), 0, 1, params };
	struct engine_context *context = NULL;
	CHECK(engine_context_open(&fake_trainer, MEASURE_BATCH, 1, &context, &e) == 0);
	CHECK(measure_network(context, &network, 1, &data, predictions, &m, &e) == 0);
	engine_context_close(context);
	CHECK(m.n == N && m.n_right == N / 10 * 9 && measure_accuracy(&m) == 0.9);
	double sum = exp(1) + 9; // of the exponentials
	CHECK(fabs(m.loss - (log(sum) - 0.9)) < 1e-6);
	CHECK(predictions[2499].digit == 2499 % 7 && predictions[2490].digit == 9);
	free(predictions);
	free(data.labels);
	free(data.pixels);
}

TEST(train_split_views)
{
	struct recipe r = { .validation = 20 };
	uint8_t pixels[1], labels[1];
	struct idx all = { 100, pixels, labels }, train, held;
	struct err e;
	CHECK(train_split(&r, &all, &train, &held, &e) == 0);
	CHECK(train.n == 80 && held.n == 20 && held.labels - train.labels == 80 &&
	      held.pixels - train.pixels == 80 * LENET5_PIXELS);
	r.train_pictures = 10;
	CHECK(train_split(&r, &all, &train, &held, &e) == 0 && train.n == 10 && held.labels - train.labels == 80);
	r.train_pictures = 81;
	CHECK(train_split(&r, &all, &train, &held, &e) == -1 && strstr(e.msg, "train_pictures 81: there are 100, 20"));
	r.train_pictures = 0;
	r.validation = 100;
	CHECK(train_split(&r, &all, &train, &held, &e) == -1 && strstr(e.msg, "validation 100"));
}
