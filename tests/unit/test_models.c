// Models by name, their exchange, and what is refused: with the CPU engine, since only numbers can be wrong.
#include "server/compute/models.h"

#include "core/weights.h"
#include "kernels/cpu/cpu.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct engine *engine;
static char path[] = "/tmp/lenet-models-XXXXXX";
static struct models *models;

// A copy of relu.bin, its parameters changed by `change`.
static void write_file(void (*change)(struct weights *))
{
	struct weights w = { 0 };
	struct err e;
	CHECK_MSG(weights_read("models/relu.bin", NULL, &w, &e) == 0, "%s", e.msg);
	if (change)
		change(&w);
	CHECK_MSG(weights_write(path, &w, &e) == 0, "%s", e.msg);
	weights_free(&w);
}

static void calibrate(struct weights *w)
{
	w->is_calibrated = true;
	w->calibration = (struct lenet5_calibration){ 2, 0.75f };
}

static void blunt(struct weights *w)
{
	memset(w->params, 0, w->net->n_params * sizeof *w->params);
}

static void overflow(struct weights *w)
{
	for (size_t i = w->net->n_params - 850; i < w->net->n_params; i++) // the output layer's
		w->params[i] *= 1e38f;
}

static float threshold = -1; // of start()

static int start(int min_right, struct err *e)
{
	static struct models_spec specs[2] = { { "first", NULL }, { "second", path } };
	CHECK_MSG(cpu_engine_open(NULL, &engine, e) == 0, "%s", e->msg);
	const struct models_options options = { engine, specs, 2, NULL, min_right, threshold };
	int failed = models_open(&options, &models, e);
	if (failed)
		engine_close(engine);
	return failed;
}

static void stop(void)
{
	models_close(models);
	engine_close(engine);
	unlink(path);
}

static void make_file(void)
{
	strcpy(path + sizeof path - 7, "XXXXXX");
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	close(fd);
}

TEST(models_have_names)
{
	struct err e;
	struct models_state state;
	make_file();
	write_file(NULL);
	CHECK_MSG(start(10, &e) == 0, "%s", e.msg);
	struct model *first = models_get(models, NULL), *second = models_get(models, "second");
	CHECK(strcmp(first->name, "first") == 0 && strcmp(second->name, "second") == 0 && !models_get(models, "third"));
	CHECK(strstr(second->description, path) && second->std > 0);
	CHECK(models_state(models, 1, &state) && strcmp(state.name, "second") == 0 && state.n_loads == 1 &&
	      !models_state(models, 2, &state));
	model_unref(first);
	model_unref(second);
	stop();
}

TEST(models_are_exchanged_or_kept)
{
	struct err e = { "" };
	struct models_state state;
	make_file();
	write_file(NULL);
	CHECK_MSG(start(7, &e) == 0, "%s", e.msg);
	struct model *old = models_get(models, "second");
	CHECK(models_load(models, "second", &e) == 0);
	struct model *fresh = models_get(models, "second");
	CHECK(fresh != old && old->references == 1 && fresh->references == 2);

	static const struct {
		void (*change)(struct weights *);
		const char *words;
	} cases[] = { { blunt, "it reads 1 of ten built-in digits right, and --min-right is 7" }, { overflow, "are not finite" } };
	for (int i = 0; i < 2; i++) {
		write_file(cases[i].change);
		CHECK(models_load(models, "second", &e) == -1);
		CHECK_MSG(strstr(e.msg, cases[i].words) && strstr(e.msg, path), "%s", e.msg);
		CHECK(models_state(models, 1, &state) && state.n_loads == 2 && state.n_failures == (uint64_t)i + 1);
		CHECK(strcmp(state.failure.msg, e.msg) == 0);
		struct model *kept = models_get(models, "second");
		CHECK(kept == fresh);
		model_unref(kept);
	}
	unlink(path);
	CHECK(models_load(models, "second", &e) == -1 && strstr(e.msg, path));
	CHECK(models_load(models, "third", &e) == -1 && strstr(e.msg, "no model is called \"third\""));
	write_file(NULL);
	CHECK(models_load(models, "second", &e) == 0 && models_state(models, 1, &state) && state.n_loads == 3 &&
	      !state.failure.msg[0]);
	model_unref(old);
	model_unref(fresh);
	stop();
}

TEST(models_a_bad_one_stops_the_start)
{
	struct err e;
	make_file();
	write_file(blunt);
	CHECK(start(7, &e) == -1 && strstr(e.msg, "built-in digits"));
	CHECK(start(0, &e) == 0);
	stop();
}

TEST(models_have_a_calibration)
{
	struct err e;
	make_file();
	write_file(calibrate);
	for (int flag = 0; flag < 2; flag++) {
		threshold = flag ? 0.25f : -1;
		CHECK_MSG(start(7, &e) == 0, "%s", e.msg);
		struct model *first = models_get(models, "first"), *second = models_get(models, "second");
		CHECK(first->calibration.temperature == lenet5_uncalibrated.temperature && second->calibration.temperature == 2);
		CHECK(first->calibration.threshold == (flag ? 0.25f : lenet5_uncalibrated.threshold));
		CHECK(second->calibration.threshold == (flag ? 0.25f : 0.75f));
		model_unref(first);
		model_unref(second);
		models_close(models);
		engine_close(engine);
	}
	threshold = -1;
	unlink(path);
}
