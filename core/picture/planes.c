#include "core/picture/planes.h"

#include "core/picture/ground.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Of a plane with fewer pixels most may be edges, and strokes may be a pixel wide. Noise above MUCH_NOISE grey levels is smoothed.
enum { FEW_PIXELS = 32 * 32, TINY_SIDE = 64, MUCH_NOISE = 6 };

// Means of k×k pixels; what does not fill the last ones is left out.
static struct image reduce(const struct image *in, int k)
{
	struct image out = { in->width / k, in->height / k, NULL };
	uint32_t *sums = malloc((size_t)in->width * sizeof *sums); // of k pixels of a column
	out.pixels = malloc((size_t)out.width * (size_t)out.height);
	for (int y = 0; sums && out.pixels && y < out.height; y++) {
		const uint8_t *row = in->pixels + (size_t)y * (size_t)k * (size_t)in->width;
		for (int x = 0; x < in->width; x++)
			sums[x] = row[x];
		for (int v = 1; v < k; v++)
			for (int x = 0; x < in->width; x++)
				sums[x] += row[(size_t)v * (size_t)in->width + (size_t)x];
		uint32_t n = (uint32_t)(k * k);
		for (int x = 0; x < out.width; x++) {
			uint32_t sum = n / 2;
			for (int u = 0; u < k; u++)
				sum += sums[x * k + u];
			out.pixels[y * out.width + x] = (uint8_t)(sum / n);
		}
	}
	if (!sums) {
		free(out.pixels);
		out.pixels = NULL;
	}
	free(sums);
	return out;
}

// The median of |Laplacian| of white noise is 3.0 standard deviations, its lower quartile 1.4, which is taken of small pictures: most of
// one may be edges.
static float noise_of(const struct image *p, int apart)
{
	enum { ENOUGH = 8192 }; // pixels
	uint32_t counts[1021] = { 0 }, n = 0, below = 0;
	int step = 1 + p->width * p->height / ENOUGH;
	for (int y = apart; y + apart < p->height; y += step)
		for (int x = apart; x + apart < p->width; x++) {
			const uint8_t *at = p->pixels + y * p->width + x;
			counts[abs(at[-apart] + at[apart] + at[-apart * p->width] + at[apart * p->width] - 4 * at[0])]++;
			n++;
		}
	bool is_small = n < FEW_PIXELS;
	int quantile = 0;
	while (n && (is_small ? 4 : 2) * (below += counts[quantile]) < n)
		quantile++;
	return (float)quantile / (is_small ? 1.4f : 3.0f);
}

// What its grey values say of a picture that may be a canvas: three quarters of it have one value.
struct levels {
	bool has_ground;
	size_t n_darker, n_lighter, n_near; // pixels that are clearly darker or lighter than the ground; that have nearly its value
};

static struct levels levels_of(const struct image *plane)
{
	enum { AWAY = 8, NEARLY = 24 };
	uint32_t parts[4][256] = { 0 }; // to count equal pixels one after the other in different places
	size_t counts[256], n = (size_t)plane->width * (size_t)plane->height;
	int ground = 0;
	for (size_t i = 0; i < n; i++)
		parts[i % 4][plane->pixels[i]]++;
	for (int v = 0; v < 256; v++)
		counts[v] = (size_t)parts[0][v] + parts[1][v] + parts[2][v] + parts[3][v];
	while (ground < 255 && 4 * counts[ground] <= 3 * n)
		ground++;
	struct levels l = { .has_ground = 4 * counts[ground] > 3 * n };
	for (int v = 0; v < 256; v++) {
		l.n_darker += v < ground - AWAY ? counts[v] : 0;
		l.n_lighter += v > ground + AWAY ? counts[v] : 0;
		l.n_near += v != ground && abs(v - ground) <= NEARLY ? counts[v] : 0;
	}
	return l;
}

// (a + b + c)/3 of the n values at each place of three rows.
static void mean_of(const uint8_t *a, const uint8_t *b, const uint8_t *c, int n, uint8_t *to)
{
	for (int i = 0; i < n; i++)
		to[i] = (uint8_t)((a[i] + b[i] + c[i] + 1) / 3);
}

// Means of 3×3 pixels; beyond the border are the pixels of the border.
static int smooth(struct image *p, struct err *e)
{
	size_t width = (size_t)p->width;
	uint8_t *rows = malloc(3 * (width + 2)); // the last two as they were, and room
	if (!rows)
		return err_set(e, "no memory to look at a picture of %d×%d pixels", p->width, p->height);
	uint8_t *above = rows, *here = rows + width, *wide = rows + 2 * width;
	memcpy(above, p->pixels, width);
	for (int y = 0; y < p->height; y++) {
		uint8_t *row = p->pixels + (size_t)y * width;
		memcpy(here, row, width);
		mean_of(above, here, y + 1 < p->height ? row + width : here, p->width, wide + 1);
		wide[0] = wide[1];
		wide[width + 1] = wide[width];
		mean_of(wide, wide + 1, wide + 2, p->width, row);
		uint8_t *swap = above;
		above = here;
		here = swap;
	}
	free(rows);
	return 0;
}

// Smooths the plane while it is noisy. *n: how many times. *noise: what is left.
static int smooth_noise(struct image *plane, int *n, float *noise, struct err *e)
{
	bool is_tiny = plane->width < TINY_SIDE && plane->height < TINY_SIDE;
	*noise = noise_of(plane, 1);
	for (*n = 0; !is_tiny && *n < 3 && *noise > MUCH_NOISE; ++*n) {
		if (smooth(plane, e))
			return -1;
		*noise = fminf(noise_of(plane, 3 + 2 * *n), *noise / 2); // far apart there are strokes, too
	}
	return 0;
}

int planes_make(const struct image *image, int reduction, struct planes *p, struct err *e)
{
	*p = (struct planes){ .reduction = reduction, .at[PLANES_DARK] = reduce(image, reduction) };
	struct image *at = p->at;
	p->width = at[PLANES_DARK].width;
	p->height = at[PLANES_DARK].height;
	size_t n = (size_t)p->width * (size_t)p->height;
	for (int i = PLANES_LIGHT; i < PLANES_N; i++)
		at[i] = (struct image){ p->width, p->height, malloc(n) };
	for (int i = 0; i < PLANES_N; i++)
		if (!at[i].pixels)
			return err_set(e, "no memory to look at a picture of %d×%d pixels", image->width, image->height);
	int smoothed;
	float noise;
	if (smooth_noise(&at[PLANES_DARK], &smoothed, &noise, e))
		return -1;
	p->smoothed = smoothed;
	for (size_t i = 0; i < n; i++)
		at[PLANES_LIGHT].pixels[i] = (uint8_t)(255 - at[PLANES_DARK].pixels[i]);
	// A canvas has strokes of one polarity, and its light is even.
	struct levels l = levels_of(&at[PLANES_DARK]);
	p->wanted[PLANES_DARK] = !l.has_ground || 1024 * l.n_darker > n;
	p->wanted[PLANES_LIGHT] = !l.has_ground || 1024 * l.n_lighter > n;
	p->wanted[PLANES_FLAT_DARK] = p->wanted[PLANES_FLAT_LIGHT] = !l.has_ground || 64 * l.n_near >= n;
	for (int i = 0; i < PLANES_N; i++) {
		if (!p->wanted[i])
			continue;
		if (i >= PLANES_FLAT_DARK && ground_flatten(&at[i - PLANES_FLAT_DARK], at[i].pixels, e))
			return -1;
		// What smoothing leaves is wider than a pixel, and has less of an edge.
		float own = i < PLANES_FLAT_DARK ? noise : fminf(noise_of(&at[i], 1 + 2 * smoothed), 3 * noise);
		p->noise[i] = own * (smoothed ? 0.75f : 1);
	}
	return 0;
}

void planes_free(struct planes *p)
{
	for (int i = 0; i < PLANES_N; i++)
		image_free(&p->at[i]);
}
