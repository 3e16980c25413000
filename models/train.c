// All randomness is drawn from streams of the recipe's seed: stream 0 gives the initial weights, stream k the order of epoch k, stream
// (k, i) the distortion of picture i in epoch k. So the number of steps done is the whole position in a run. A checkpoint holds that
// number, parameters and momentum, the sum of the epoch's losses so far, and with sdlm the curvature from the epoch's beginning.
// Each call of the engine computes about 50 ms of steps: often enough for a progress line and for Ctrl-C.
#include "models/train.h"

#include "core/rng.h"
#include "core/weights.h"
#include "models/augment.h"
#include "models/progress.h"
#include "models/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
	const struct train_job *job;
	const struct recipe *recipe;
	const struct lenet5 *net;
	uint64_t steps_per_epoch, n_steps; // n_steps: in all epochs
	uint64_t step, first_step; // steps done; of these, before this call
	double loss_sum; // of the epoch's steps so far
	uint32_t chunk; // steps in one call of the engine
	float *params, *momentum; // (n_params), as last read from the trainer
	float *curvature; // (n_params), the epoch's; NULL without sdlm
	uint32_t *order; // (pictures)
	float *rates, *losses; // (steps_per_epoch)
	uint8_t *distorted; // (pictures, 28, 28), or NULL where the recipe distorts nothing
	struct engine_trainer *trainer;
	struct engine_context *context; // of every evaluation
	struct record record;
	struct progress progress;
	struct measure measure; // after the last epoch
	double began; // progress_now() before the first step
};

int train_split(const struct recipe *recipe, const struct idx *all, struct idx *train, struct idx *held_out, struct err *e)
{
	if (recipe->validation >= all->n)
		return err_set(e, "validation %u: of %u training pictures none are left to train on", recipe->validation, all->n);
	uint32_t free_ones = all->n - recipe->validation;
	uint32_t n = recipe->train_pictures ? recipe->train_pictures : free_ones;
	if (n > free_ones)
		return err_set(e, "train_pictures %u: there are %u, %u of them held out for validation", n, all->n,
			       recipe->validation);
	*train = (struct idx){ n, all->pixels, all->labels };
	*held_out = (struct idx){
		recipe->validation,
		all->pixels + (size_t)free_ones * LENET5_PIXELS,
		all->labels + free_ones,
	};
	return 0;
}

// Removes the checkpoint: resuming from it would only diverge again.
static int diverged(struct run *r, struct err *e)
{
	unlink(r->record.checkpoint_path);
	return err_set(e, "after step %llu the loss is no longer a number: use a smaller learning rate (--lr, %g here)",
		       (unsigned long long)r->step, r->recipe->lr);
}

static int read_params(struct run *r, struct err *e)
{
	if (engine_trainer_read(r->trainer, r->params, r->momentum, e))
		return -1;
	for (size_t i = 0; i < r->net->n_params; i++)
		if (!isfinite(r->params[i]) || !isfinite(r->momentum[i]))
			return diverged(r, e);
	return 0;
}

static int set_number(struct weights *w, const char *key, const char *format, double x, struct err *e)
{
	char text[32];
	snprintf(text, sizeof text, format, x);
	return weights_set(w, key, text, e);
}

static int set_position(struct run *r, struct weights *w, struct err *e)
{
	if (set_number(w, "epoch", "%.0f", (double)(r->step / r->steps_per_epoch), e) ||
	    set_number(w, "step", "%.0f", (double)r->step, e) || set_number(w, "loss_sum", "%.17g", r->loss_sum, e))
		return -1;
	return 0;
}

static int set_results(struct run *r, struct weights *w, struct err *e)
{
	char accuracy[32], loss[32];
	snprintf(accuracy, sizeof accuracy, "%s_accuracy", r->job->measured_as);
	snprintf(loss, sizeof loss, "%s_loss", r->job->measured_as);
	if (set_number(w, "seed", "%.0f", r->recipe->seed, e) || set_number(w, "epochs", "%.0f", r->recipe->epochs, e) ||
	    set_number(w, accuracy, "%.9g", measure_accuracy(&r->measure), e) || set_number(w, loss, "%.9g", r->measure.loss, e) ||
	    weights_set(w, "measured_on", r->job->measured_on, e))
		return -1;
	return 0;
}

// Writes the result or a checkpoint, with the parameters that read_params read last.
static int write_weights(struct run *r, const char *path, bool checkpoint, struct err *e)
{
	struct weights w = { r->net, r->net->mean, r->net->std, .params = r->params };
	char recipe[RECIPE_TEXT];
	recipe_print(r->recipe, recipe);
	if (checkpoint) {
		w.momentum = r->momentum;
		w.curvature = r->curvature;
	}
	int status = weights_set(&w, "recipe", recipe, e);
	if (!status)
		status = set_number(&w, "trained_on", "%.0f pictures", r->job->train.n, e);
	if (!status)
		status = checkpoint ? set_position(r, &w, e) : set_results(r, &w, e);
	if (!status)
		status = weights_write(path, &w, e);
	w.params = w.momentum = w.curvature = NULL; // ours, not weights_free's
	weights_free(&w);
	return status;
}

static int save_checkpoint(struct run *r, struct err *e)
{
	return record_flush(&r->record, true, e) || write_weights(r, r->record.checkpoint_path, true, e) ? -1 : 0;
}

static int read_number(const struct weights *w, const char *key, double high, double *x, struct err *e)
{
	const char *text = weights_get(w, key);
	char *end = NULL;
	double value = text ? strtod(text, &end) : NAN;
	if (!text || end == text || *end || !(value >= 0 && value <= high))
		return err_set(e, "not a checkpoint of this run: its \"%s\" is missing or wrong", key);
	*x = value;
	return 0;
}

static int take_checkpoint(struct run *r, const struct weights *w, struct err *e)
{
	struct recipe other;
	double step, loss_sum;
	char trained_on[32];
	const char *recipe = weights_get(w, "recipe"), *pictures = weights_get(w, "trained_on");
	snprintf(trained_on, sizeof trained_on, "%u pictures", r->job->train.n);
	if (!recipe || !w->momentum)
		return err_set(e, "not a checkpoint: no recipe or no momentum in it");
	if (r->curvature && !w->curvature)
		return err_set(e, "not a checkpoint of sdlm: no curvature in it");
	if (recipe_parse(recipe, "its recipe", NULL, &other, e))
		return -1;
	if (!recipe_equal(r->recipe, &other, e))
		return err_prefix(e, "the checkpoint is of another recipe");
	if (!pictures || strcmp(pictures, trained_on) != 0)
		return err_set(e, "the checkpoint was trained on %.40s, the data here has %s",
			       pictures ? pictures : "other pictures", trained_on);
	if (read_number(w, "step", (double)(r->n_steps - 1), &step, e) || read_number(w, "loss_sum", HUGE_VAL, &loss_sum, e))
		return -1;
	memcpy(r->params, w->params, r->net->n_params * sizeof *r->params);
	memcpy(r->momentum, w->momentum, r->net->n_params * sizeof *r->momentum);
	if (r->curvature)
		memcpy(r->curvature, w->curvature, r->net->n_params * sizeof *r->curvature);
	r->step = (uint64_t)step;
	r->loss_sum = loss_sum;
	return 0;
}

static int go_on(struct run *r, struct err *e)
{
	struct weights w = { 0 };
	const char *path = r->record.checkpoint_path;
	if (access(path, F_OK))
		return err_set(e, "%s: no such file: nothing to resume (a finished run removes it)", path);
	int status = weights_read(path, NULL, &w, e);
	if (!status && take_checkpoint(r, &w, e))
		status = err_prefix(e, "%s", path);
	weights_free(&w);
	return status;
}

static int begin_anew(struct run *r, struct err *e)
{
	struct rng rng;
	if (access(r->record.checkpoint_path, F_OK) == 0)
		return err_set(e, "%s holds an unfinished run: continue it with --resume, or remove the file to train anew",
			       r->record.checkpoint_path);
	rng_init_stream(&rng, r->recipe->seed, 0);
	lenet5_init(r->net, &rng, r->params);
	return 0;
}

static int allocate(struct run *r, struct err *e)
{
	size_t n = r->job->train.n;
	bool curvature = r->recipe->optimiser == RECIPE_SDLM, distorted = !augment_is_none(&r->recipe->distort);
	r->params = malloc(r->net->n_params * sizeof *r->params);
	r->momentum = calloc(r->net->n_params, sizeof *r->momentum);
	r->curvature = curvature ? calloc(r->net->n_params, sizeof *r->curvature) : NULL;
	r->order = malloc(n * sizeof *r->order);
	r->rates = malloc(r->steps_per_epoch * sizeof *r->rates);
	r->losses = malloc(r->steps_per_epoch * sizeof *r->losses);
	r->distorted = distorted ? malloc(n * LENET5_PIXELS) : NULL;
	if (!r->params || !r->momentum || !r->order || !r->rates || !r->losses || (curvature && !r->curvature) ||
	    (distorted && !r->distorted))
		return err_set(e, "out of memory for %zu pictures", n);
	return 0;
}

static int open_trainer(struct run *r, struct err *e)
{
	struct engine_training training = {
		.start = { r->net, r->net->mean, r->net->std, r->params },
		.loss = (enum engine_loss)r->recipe->loss,
		.j = (float)r->recipe->j,
		.momentum = r->momentum,
		.curvature = r->curvature,
		.mu = (float)r->recipe->mu,
		.batch = (int)r->recipe->batch,
		.n_threads = r->job->n_threads,
		.momentum_rate = (float)r->recipe->momentum,
		.weight_decay = (float)r->recipe->weight_decay,
		.label_smoothing = (float)r->recipe->label_smoothing,
	};
	return engine_trainer_open(r->job->engine, &training, &r->trainer, e);
}

static int set_up(struct run *r, struct err *e)
{
	r->net = lenet5_at(r->recipe->network);
	r->steps_per_epoch = (r->job->train.n + (uint64_t)r->recipe->batch - 1) / r->recipe->batch;
	r->n_steps = r->steps_per_epoch * r->recipe->epochs;
	r->chunk = 1;
	if (allocate(r, e) || record_init(&r->record, r->job->out, e))
		return -1;
	if (r->job->resume ? go_on(r, e) : begin_anew(r, e))
		return -1;
	r->first_step = r->step;
	if (record_begin(&r->record, r->job->measured_as, r->step, r->step / r->steps_per_epoch, e))
		return -1;
	return open_trainer(r, e) || engine_context_open(r->job->engine, MEASURE_BATCH, r->job->n_threads, &r->context, e);
}

static void tear_down(struct run *r)
{
	engine_context_close(r->context);
	engine_trainer_close(r->trainer);
	record_fini(&r->record);
	free(r->distorted);
	free(r->losses);
	free(r->rates);
	free(r->order);
	free(r->curvature);
	free(r->momentum);
	free(r->params);
}

// The epoch's order and pictures, and the curvature at its beginning.
static int prepare_epoch(struct run *r, uint32_t epoch, struct err *e)
{
	const struct idx *train = &r->job->train;
	struct rng rng;
	rng_init_stream(&rng, r->recipe->seed, epoch);
	for (uint32_t i = 0; i < train->n; i++)
		r->order[i] = i;
	rng_shuffle(&rng, r->order, train->n);

	const uint8_t *pixels = train->pixels;
	if (r->distorted) {
		augment_epoch(&r->recipe->distort, r->recipe->seed, epoch, train->pixels, train->n, r->distorted,
			      r->job->n_threads);
		pixels = r->distorted;
	}
	bool has_them = !r->distorted && r->step > r->first_step;
	if (!has_them && engine_trainer_data(r->trainer, pixels, train->labels, train->n, e))
		return -1;
	if (!r->curvature || r->step % r->steps_per_epoch) // resumed within an epoch: keep the checkpoint's
		return 0;
	uint32_t n = r->recipe->curvature_pictures < train->n ? r->recipe->curvature_pictures : train->n;
	return engine_trainer_curvature(r->trainer, r->order, n, r->curvature, e);
}

// Pictures seen after so many steps; the last step of an epoch may have fewer than a batch.
static uint64_t seen_after(const struct run *r, uint64_t step)
{
	return step / r->steps_per_epoch * r->job->train.n + step % r->steps_per_epoch * r->recipe->batch;
}

// Calls the engine once and records its steps.
static int train_chunk(struct run *r, uint32_t epoch, double *mean_loss, struct err *e)
{
	uint64_t at = r->step % r->steps_per_epoch, left = r->steps_per_epoch - at;
	uint32_t steps = left < r->chunk ? (uint32_t)left : r->chunk;
	uint64_t begin = seen_after(r, r->step), n = seen_after(r, r->step + steps) - begin;
	for (uint32_t i = 0; i < steps; i++)
		r->rates[i] = recipe_rate(r->recipe, r->step + i, r->n_steps);

	double start = progress_now();
	if (engine_trainer_steps(r->trainer, r->order + at * r->recipe->batch, (uint32_t)n, r->rates, r->losses, e))
		return -1;
	double took = progress_now() - start;
	if (took < 0.025 && r->chunk < 1 << 20)
		r->chunk *= 2;
	else if (took > 0.1 && r->chunk > 1)
		r->chunk /= 2;

	double sum = 0;
	for (uint32_t i = 0; i < steps; i++) {
		r->step++;
		if (record_step(&r->record, r->step, epoch, seen_after(r, r->step), r->rates[i], r->losses[i], e))
			return -1;
		if (!isfinite(r->losses[i]))
			return diverged(r, e);
		r->loss_sum += (double)r->losses[i];
		sum += (double)r->losses[i];
	}
	*mean_loss = sum / steps;
	return record_flush(&r->record, false, e);
}

static int finish_epoch(struct run *r, uint32_t epoch, double seconds, struct err *e)
{
	const struct train_job *job = r->job;
	double loss = r->loss_sum / (double)r->steps_per_epoch;
	if (read_params(r, e))
		return -1;
	struct engine_network network = { r->net, r->net->mean, r->net->std, r->params };
	if (measure_network(r->context, &network, 1, &job->measured, NULL, &r->measure, e) ||
	    record_epoch(&r->record, epoch, loss, &r->measure, e))
		return -1;
	progress_clear(&r->progress);
	if (job->lines) {
		fprintf(job->lines, "epoch %u/%u: loss %.4f, %s %.2f %%, %s loss %.4f, %.1f s\n", epoch, r->recipe->epochs, loss,
			job->measured_as, 100 * measure_accuracy(&r->measure), job->measured_as, r->measure.loss, seconds);
		fflush(job->lines);
	}
	r->loss_sum = 0;
	return r->step < r->n_steps ? save_checkpoint(r, e) : 0; // the last epoch writes the result instead
}

static enum train_result train_epoch(struct run *r, struct err *e)
{
	uint32_t epoch = (uint32_t)(r->step / r->steps_per_epoch) + 1;
	uint64_t end = epoch * r->steps_per_epoch, seen = seen_after(r, r->step);
	double start = progress_now();
	if (prepare_epoch(r, epoch, e))
		return TRAIN_FAILED;
	if (r->step == r->first_step)
		r->began = progress_now();
	while (r->step < end) {
		double loss = 0;
		if (train_chunk(r, epoch, &loss, e))
			return TRAIN_FAILED;
		char what[48], tail[80];
		double rate = (double)(seen_after(r, r->step) - seen) / (progress_now() - start);
		snprintf(what, sizeof what, "epoch %u/%u", epoch, r->recipe->epochs);
		snprintf(tail, sizeof tail, "loss %.4f, %.0f images/s", loss, rate);
		progress_show(&r->progress, what, (double)(r->step - r->first_step) / (double)(r->n_steps - r->first_step), tail);
		if (r->step < end && r->job->stopped())
			return read_params(r, e) || save_checkpoint(r, e) ? TRAIN_FAILED : TRAIN_STOPPED;
	}
	if (finish_epoch(r, epoch, progress_now() - start, e))
		return TRAIN_FAILED;
	return r->step < r->n_steps && r->job->stopped() ? TRAIN_STOPPED : TRAIN_DONE;
}

enum train_result train_run(const struct train_job *job, struct err *e)
{
	struct run r = { .job = job, .recipe = job->recipe };
	enum train_result result = set_up(&r, e) ? TRAIN_FAILED : TRAIN_DONE;
	progress_begin(&r.progress);
	if (result == TRAIN_DONE && r.first_step && job->lines)
		fprintf(job->lines, "continuing after step %llu of %llu\n", (unsigned long long)r.step,
			(unsigned long long)r.n_steps);
	while (result == TRAIN_DONE && r.step < r.n_steps)
		result = train_epoch(&r, e);
	progress_clear(&r.progress);
	if (result == TRAIN_DONE) {
		if (job->lines)
			fprintf(job->lines, "%llu steps in %.3f s, from the first step to the last evaluation\n",
				(unsigned long long)(r.n_steps - r.first_step), progress_now() - r.began);
		if (write_weights(&r, job->out, false, e))
			result = TRAIN_FAILED;
		else
			unlink(r.record.checkpoint_path);
	}
	tear_down(&r);
	return result;
}
