// A candidate of a scene is compared with the digits that the scene was composed of, by the overlap of their boxes.
#include "models/scenes.h"

#include "core/picture/candidates.h"
#include "models/parallel.h"
#include "models/scene.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PER_SCENE = 5, EMPTY = 255 };

struct work {
	const struct idx *data;
	uint32_t seed;
	uint8_t *pixels, *labels; // (n scenes, PER_SCENE)
	pthread_mutex_t lock;
	int status; // lock; −1: some scene failed, and err says why
	struct err err; // lock
};

static float shared_area(const struct candidate *c, const struct scene_digit *d)
{
	float x = fminf((float)c->right, d->right) - fmaxf((float)c->left, d->left);
	float y = fminf((float)c->bottom, d->bottom) - fmaxf((float)c->top, d->top);
	return x <= 0 || y <= 0 ? 0 : x * y;
}

static float area_of(const struct candidate *c)
{
	return (float)(c->right - c->left) * (float)(c->bottom - c->top);
}

// Intersection over union.
static float agreement(const struct candidate *c, const struct scene_digit *d)
{
	float both = shared_area(c, d);
	return both / (area_of(c) + (d->right - d->left) * (d->bottom - d->top) - both);
}

static bool is_part(const struct candidate *c, const struct scene *scene)
{
	bool is = false;
	for (int k = 0; k < scene->n_digits; k++)
		is |= c->is_light == scene->is_light && shared_area(c, &scene->digits[k]) > 0.7f * area_of(c);
	return is;
}

// What agrees with a digit is that digit, and may be twice; what agrees with none is no digit, but for upright bars, which a 1 is too.
// What is in between is left out, and so are parts of digits, which may be other digits.
static void label(const struct scene *scene, const struct candidates *c, uint8_t *pixels, uint8_t labels[PER_SCENE])
{
	int seen[SCENE_MAX_DIGITS] = { 0 }, n = 0, n_others = 0;
	memset(labels, EMPTY, PER_SCENE);
	for (int i = 0; i < c->n && n < PER_SCENE; i++) {
		const struct candidate *a = &c->at[i];
		float best = 0;
		int which = 0;
		for (int k = 0; k < scene->n_digits; k++)
			if (agreement(a, &scene->digits[k]) > best) {
				best = agreement(a, &scene->digits[k]);
				which = k;
			}
		bool is_digit = best > 0.72f && seen[which] < 2 && a->is_light == scene->is_light;
		bool is_other = best < 0.4f && n_others < 2 && a->bottom - a->top < 3 * (a->right - a->left) && !is_part(a, scene);
		if (!is_digit && !is_other)
			continue;
		memcpy(pixels + (size_t)n * LENET5_PIXELS, c->pixels[i], LENET5_PIXELS);
		labels[n++] = (uint8_t)(is_digit ? scene->digits[which].digit : LENET5_NO_DIGIT);
		seen[which] += is_digit;
		n_others += is_other;
	}
}

static void compose_part(void *context, uint32_t begin, uint32_t end)
{
	struct work *w = context;
	struct err err;
	int status = 0;
	for (uint32_t i = begin; i < end && !status; i++) {
		struct scene scene = { 0 };
		struct candidates c;
		status = scene_compose(w->data, w->seed, i, &scene, &err) || candidates_find(&scene.image, &c, &err) ? -1 : 0;
		if (!status)
			label(&scene, &c, w->pixels + (size_t)i * PER_SCENE * LENET5_PIXELS, w->labels + (size_t)i * PER_SCENE);
		image_free(&scene.image);
	}
	if (!status)
		return;
	pthread_mutex_lock(&w->lock);
	w->status = status;
	w->err = err;
	pthread_mutex_unlock(&w->lock);
}

// Moves what the scenes have behind the data's n pictures.
static void compact(const struct idx *data, uint32_t n_scenes, struct idx *all)
{
	uint32_t n = data->n;
	for (size_t i = 0; i < (size_t)n_scenes * PER_SCENE; i++) {
		if (all->labels[data->n + i] == EMPTY)
			continue;
		memmove(all->pixels + (size_t)n * LENET5_PIXELS, all->pixels + (data->n + i) * LENET5_PIXELS, LENET5_PIXELS);
		all->labels[n++] = all->labels[data->n + i];
	}
	all->n = n;
}

int scenes_add(const struct idx *data, uint32_t n, uint32_t seed, int n_threads, struct idx *all, struct err *e)
{
	size_t room = data->n + (size_t)n * PER_SCENE;
	struct idx to = { 0, malloc(room * LENET5_PIXELS), malloc(room) };
	if (!to.pixels || !to.labels) {
		idx_free(&to);
		return err_set(e, "no memory for %u scenes", n);
	}
	memcpy(to.pixels, data->pixels, (size_t)data->n * LENET5_PIXELS);
	memcpy(to.labels, data->labels, data->n);
	struct work w = { .data = data,
			  .seed = seed,
			  .pixels = to.pixels + (size_t)data->n * LENET5_PIXELS,
			  .labels = to.labels + data->n,
			  .lock = PTHREAD_MUTEX_INITIALIZER };
	parallel_run(n, n_threads, compose_part, &w);
	if (w.status) {
		idx_free(&to);
		*e = w.err;
		return -1;
	}
	compact(data, n, &to);
	*all = to;
	return 0;
}
