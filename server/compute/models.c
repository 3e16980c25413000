// The lock guards the model of each name, and is not held while a model loads. The memory of a file is freed as soon as the engine has
// packed its numbers.
#include "server/compute/models.h"

#include "core/builtin.h"
#include "core/weights.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct entry {
	const struct models_spec *spec;
	struct model *model; // lock; one reference
	struct models_state state; // lock
	struct models_statistics statistics;
};

struct models {
	struct models_options options;
	pthread_mutex_t lock;
	struct entry entries[MODELS_MAX];
};

void model_unref(struct model *model)
{
	if (model && atomic_fetch_sub(&model->references, 1) == 1) {
		engine_model_unref(model->engine_model);
		free(model);
	}
}

// Computes the ten built-in digits. Refuses scores that are not finite and a model that reads too few of them. The pass also warms up the
// engine.
static int check(const struct models *models, const struct model *model, struct err *e)
{
	float scores[LENET5_DIGITS * LENET5_DIGITS];
	struct engine_context *context;
	int n_right = 0;
	if (engine_context_open(models->options.engine, LENET5_DIGITS, 1, &context, e))
		return -1;
	int failed = engine_forward_pixels(context, model->engine_model, builtin_digits(), LENET5_DIGITS, scores, e);
	engine_context_close(context);
	if (failed)
		return -1;
	for (int digit = 0; digit < LENET5_DIGITS; digit++) {
		const float *s = &scores[digit * LENET5_DIGITS];
		for (int i = 0; i < LENET5_DIGITS; i++)
			if (!isfinite(s[i]))
				return err_set(e, "its scores for a %d are not finite; train or export the model again", digit);
		n_right += lenet5_predict(model->engine_model->net, 1, s).digit == digit;
	}
	if (n_right < models->options.min_right)
		return err_set(e, "it reads %d of ten built-in digits right, and --min-right is %d", n_right,
			       models->options.min_right);
	return 0;
}

// Refuses pipes: they can be read only once, and a model may be loaded again.
static int check_kind(const char *file, struct err *e)
{
	struct stat s;
	return stat(file, &s) == 0 && !S_ISREG(s.st_mode) ? err_set(e, "%s: is not a regular file; copy the model into one", file)
							  : 0;
}

static int load(const struct models *models, const struct models_spec *spec, struct model **model, struct err *e)
{
	struct weights w = { 0 };
	const char *file = spec->file;
	struct model *m = calloc(1, sizeof *m);
	if (!m)
		return err_set(e, "no memory for a model");
	atomic_init(&m->references, 1);
	memcpy(m->name, spec->name, sizeof m->name);
	int failed = file ? check_kind(file, e) || weights_read(file, models->options.network, &w, e) : builtin_read(&w, e);
	if (!failed) {
		const struct engine_network numbers = { w.net, w.mean, w.std, w.params };
		m->mean = w.mean;
		m->std = w.std;
		m->calibration = w.calibration;
		if (models->options.threshold >= 0)
			m->calibration.threshold = models->options.threshold;
		snprintf(m->description, sizeof m->description, "%s (%.150s, network %s)", m->name, file ? file : "built in",
			 w.net->name);
		failed = engine_model_new(models->options.engine, &numbers, &m->engine_model, e);
		if (!failed && check(models, m, e))
			failed = err_prefix(e, "%.200s", file ? file : "the built-in model");
	}
	weights_free(&w);
	if (failed) {
		model_unref(m);
		return -1;
	}
	*model = m;
	return 0;
}

// Returns the entry of a name; name NULL: the first entry. NULL: there is no such name.
static struct entry *find(struct models *models, const char *name)
{
	for (int i = 0; i < models->options.n_specs; i++)
		if (!name || strcmp(models->entries[i].spec->name, name) == 0)
			return &models->entries[i];
	return NULL;
}

int models_load(struct models *models, const char *name, struct err *e)
{
	struct entry *entry = find(models, name);
	struct model *fresh = NULL, *old = NULL;
	if (!entry)
		return err_set(e, "no model is called \"%.60s\"", name);
	int failed = load(models, entry->spec, &fresh, e);
	if (!failed)
		fresh->statistics = &entry->statistics;
	pthread_mutex_lock(&models->lock);
	if (failed) {
		entry->state.n_failures++;
		entry->state.failure = *e;
	} else {
		entry->state.n_loads++;
		entry->state.failure.msg[0] = 0;
		old = entry->model;
		entry->model = fresh;
	}
	pthread_mutex_unlock(&models->lock);
	model_unref(old);
	return failed;
}

int models_open(const struct models_options *options, struct models **models, struct err *e)
{
	struct models *m = calloc(1, sizeof *m);
	if (!m)
		return err_set(e, "no memory for models");
	m->options = *options;
	pthread_mutex_init(&m->lock, NULL);
	for (int i = 0; i < options->n_specs; i++) {
		m->entries[i].spec = &options->specs[i];
		memcpy(m->entries[i].state.name, options->specs[i].name, MODELS_MAX_NAME);
	}
	for (int i = 0; i < options->n_specs; i++)
		if (models_load(m, options->specs[i].name, e)) {
			models_close(m);
			return -1;
		}
	*models = m;
	return 0;
}

void models_close(struct models *models)
{
	if (!models)
		return;
	for (int i = 0; i < models->options.n_specs; i++)
		model_unref(models->entries[i].model);
	pthread_mutex_destroy(&models->lock);
	free(models);
}

struct model *models_get(struct models *models, const char *name)
{
	struct entry *entry = find(models, name);
	if (!entry)
		return NULL;
	pthread_mutex_lock(&models->lock);
	struct model *model = entry->model;
	atomic_fetch_add(&model->references, 1);
	pthread_mutex_unlock(&models->lock);
	return model;
}

bool models_state(struct models *models, int i, struct models_state *state)
{
	if (i < 0 || i >= models->options.n_specs)
		return false;
	pthread_mutex_lock(&models->lock);
	*state = models->entries[i].state;
	pthread_mutex_unlock(&models->lock);
	return true;
}

void models_name_of(const char *file, char name[MODELS_MAX_NAME])
{
	const char *slash = strrchr(file, '/'), *from = slash ? slash + 1 : file;
	size_t n = strlen(from), at = 0;
	if (n > 4 && strcmp(from + n - 4, ".bin") == 0)
		n -= 4;
	for (size_t i = 0; i < n && at < MODELS_MAX_NAME - 1; i++)
		if (strchr(MODELS_NAME_CHARS, from[i]))
			name[at++] = from[i];
	name[at] = 0;
	if (at == 0)
		strcpy(name, "model");
}
