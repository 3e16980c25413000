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
	uint8_t *pixels, *labels; // (n, PER_SCENE), of the scenes or of the outliers
	bool outliers;
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

// Of what is no digit, the whole: a part of it may be one.
static void label_outlier(const struct candidates *c, uint8_t *pixels, uint8_t labels[PER_SCENE])
{
	float most = 0;
	int n = 0;
	memset(labels, EMPTY, PER_SCENE);
	for (int i = 0; i < c->n; i++)
		most = fmaxf(most, area_of(&c->at[i]));
	for (int i = 0; i < c->n && n < 2; i++)
		if (area_of(&c->at[i]) > 0.7f * most) {
			memcpy(pixels + (size_t)n * LENET5_PIXELS, c->pixels[i], LENET5_PIXELS);
			labels[n++] = LENET5_NO_DIGIT;
		}
}

static void compose_part(void *context, uint32_t begin, uint32_t end)
{
	struct work *w = context;
	int (*compose)(const struct idx *, uint32_t, uint32_t, struct scene *, struct err *) =
		w->outliers ? scene_compose_outlier : scene_compose;
	struct err err;
	int status = 0;
	for (uint32_t i = begin; i < end && !status; i++) {
		struct scene scene = { 0 };
		struct candidates c;
		status = compose(w->data, w->seed, i, &scene, &err) || candidates_find(&scene.image, &c, &err) ? -1 : 0;
		uint8_t *pixels = w->pixels + (size_t)i * PER_SCENE * LENET5_PIXELS, *labels = w->labels + (size_t)i * PER_SCENE;
		if (!status && w->outliers)
			label_outlier(&c, pixels, labels);
		else if (!status)
			label(&scene, &c, pixels, labels);
		image_free(&scene.image);
	}
	if (!status)
		return;
	pthread_mutex_lock(&w->lock);
	w->status = status;
	w->err = err;
	pthread_mutex_unlock(&w->lock);
}

// Moves what n scenes have, which lies from all->n on, to where it begins.
static void compact(struct idx *all, uint32_t n)
{
	const uint32_t first = all->n;
	for (size_t i = first; i < first + (size_t)n * PER_SCENE; i++) {
		if (all->labels[i] == EMPTY)
			continue;
		memmove(all->pixels + (size_t)all->n * LENET5_PIXELS, all->pixels + i * LENET5_PIXELS, LENET5_PIXELS);
		all->labels[all->n++] = all->labels[i];
	}
}

static int append(struct work *w, uint32_t n, int n_threads, struct idx *all, struct err *e)
{
	size_t room = all->n + (size_t)n * PER_SCENE;
	uint8_t *pixels = realloc(all->pixels, room * LENET5_PIXELS);
	all->pixels = pixels ? pixels : all->pixels;
	uint8_t *labels = realloc(all->labels, room);
	all->labels = labels ? labels : all->labels;
	if (!pixels || !labels)
		return err_set(e, "no memory for %u scenes", n);
	w->pixels = pixels + (size_t)all->n * LENET5_PIXELS;
	w->labels = labels + all->n;
	parallel_run(n, n_threads, compose_part, w);
	*e = w->err;
	if (!w->status)
		compact(all, n);
	return w->status;
}

int scenes_add(const struct idx *data, struct scenes_counts counts, uint32_t seed, int n_threads, struct idx *all, struct err *e)
{
	struct work scenes = { .data = data, .seed = seed, .lock = PTHREAD_MUTEX_INITIALIZER }, outliers = scenes;
	struct idx to = { data->n, malloc((size_t)data->n * LENET5_PIXELS), malloc(data->n) };
	outliers.outliers = true;
	if (!to.pixels || !to.labels) {
		idx_free(&to);
		return err_set(e, "no memory for %u pictures", data->n);
	}
	memcpy(to.pixels, data->pixels, (size_t)data->n * LENET5_PIXELS);
	memcpy(to.labels, data->labels, data->n);
	if (append(&scenes, counts.scenes, n_threads, &to, e) || append(&outliers, counts.outliers, n_threads, &to, e)) {
		idx_free(&to);
		return -1;
	}
	*all = to;
	return 0;
}
