// What a camera and a file do to a whole canvas: blur, motion, noise, JPEG's blocks, and 8 bits.
#include "tests/pictures/canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// A running mean of 2r+1 values along a row or a column.
static void box_mean(float *at, int n, int step, int r, float *line)
{
	float sum = 0;
	for (int i = -r; i <= r; i++)
		sum += at[(i < 0 ? 0 : i >= n ? n - 1 : i) * step];
	for (int i = 0; i < n; i++) {
		line[i] = sum / (float)(2 * r + 1);
		int in = i + r + 1 < n ? i + r + 1 : n - 1, out = i - r > 0 ? i - r : 0;
		sum += at[in * step] - at[out * step];
	}
	for (int i = 0; i < n; i++)
		at[i * step] = line[i];
}

// Rounds of three taps, each of variance 2a, up to a sigma of 1.5; three box means above.
int canvas_blur(struct canvas *c, float sigma, struct err *e)
{
	int longer = c->width > c->height ? c->width : c->height;
	float *line = malloc((size_t)longer * sizeof *line);
	if (!line)
		return err_set(e, "no memory for a blur");
	bool is_small = sigma < 1.5f;
	int n_rounds = is_small ? 1 + (int)(sigma * sigma / 0.5f) : 3, r = (int)(sigma + 0.5f);
	float a = sigma * sigma / (2 * (float)n_rounds);
	for (int round = 0; round < n_rounds; round++)
		for (int rows = 0; rows < 2; rows++) {
			int n = rows ? c->width : c->height, step = rows ? 1 : c->width;
			for (int j = 0; j < (rows ? c->height : c->width); j++) {
				float *at = c->grey + j * (rows ? c->width : 1), before = at[0];
				if (!is_small)
					box_mean(at, n, step, r, line);
				for (int i = 0; is_small && i < n; i++) {
					float here = at[i * step], next = at[(i + 1 < n ? i + 1 : i) * step];
					at[i * step] = here + a * (before - 2 * here + next);
					before = here;
				}
			}
		}
	free(line);
	return 0;
}

int canvas_motion(struct canvas *c, float length, float angle, struct err *e)
{
	size_t n = (size_t)c->width * (size_t)c->height;
	float *sum = calloc(n, sizeof *sum);
	int taps = 1 + (int)ceilf(length);
	if (!sum)
		return err_set(e, "no memory for a blur");
	for (int k = 0; k < taps; k++) {
		float t = ((float)k / (float)(taps > 1 ? taps - 1 : 1) - 0.5f) * length;
		int dx = (int)lroundf(t * cosf(angle)), dy = (int)lroundf(t * sinf(angle));
		for (int y = 0; y < c->height; y++)
			for (int x = 0; x < c->width; x++) {
				int u = x + dx, v = y + dy;
				u = u < 0 ? 0 : u >= c->width ? c->width - 1 : u;
				v = v < 0 ? 0 : v >= c->height ? c->height - 1 : v;
				sum[y * c->width + x] += c->grey[v * c->width + u];
			}
	}
	for (size_t i = 0; i < n; i++)
		c->grey[i] = sum[i] / (float)taps;
	free(sum);
	return 0;
}

// The sum of four uniform numbers has a variance of 4/3 where each is from −1 to 1.
void canvas_add_noise(struct canvas *c, float sigma, struct rng *rng)
{
	for (int i = 0; i < c->width * c->height; i++) {
		float sum = 0;
		for (int k = 0; k < 4; k++)
			sum += rng_uniform(rng, -1, 1);
		c->grey[i] += sigma * sum * 0.866f;
	}
}

// ITU-T T.81, table K.1.
static const uint8_t luma_steps[64] = {
	16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55, //
	14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62, //
	18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92, //
	49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
};

// out = basis · in · basis transposed, or with is_inverse the other way round.
static void transform(const float basis[8][8], const float in[64], float out[64], bool is_inverse)
{
	float half[64];
	for (int i = 0; i < 64; i++) {
		half[i] = 0;
		for (int k = 0; k < 8; k++)
			half[i] += in[i / 8 * 8 + k] * (is_inverse ? basis[k][i % 8] : basis[i % 8][k]);
	}
	for (int i = 0; i < 64; i++) {
		out[i] = 0;
		for (int k = 0; k < 8; k++)
			out[i] += half[k * 8 + i % 8] * (is_inverse ? basis[k][i / 8] : basis[i / 8][k]);
	}
}

void canvas_jpeg(struct canvas *c, int quality)
{
	float basis[8][8], block[64], coefficients[64];
	int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
	for (int k = 0; k < 8; k++)
		for (int i = 0; i < 8; i++)
			basis[k][i] = cosf((2 * (float)i + 1) * (float)k * 3.14159265f / 16) * (k ? 0.5f : 0.35355339f);
	for (int y = 0; y < c->height; y += 8)
		for (int x = 0; x < c->width; x += 8) {
			for (int i = 0; i < 64; i++) {
				int u = x + i % 8 < c->width ? x + i % 8 : c->width - 1;
				int v = y + i / 8 < c->height ? y + i / 8 : c->height - 1;
				block[i] = canvas_clamp(c->grey[v * c->width + u], 0, 255) - 128;
			}
			transform(basis, block, coefficients, false);
			for (int i = 0; i < 64; i++) {
				float step = canvas_clamp((float)((luma_steps[i] * scale + 50) / 100), 1, 255);
				coefficients[i] = step * roundf(coefficients[i] / step);
			}
			transform(basis, coefficients, block, true);
			for (int i = 0; i < 64; i++)
				if (x + i % 8 < c->width && y + i / 8 < c->height)
					c->grey[(y + i / 8) * c->width + x + i % 8] = block[i] + 128;
		}
}

int canvas_expose(const struct canvas *c, struct image *out, struct err *e)
{
	size_t n = (size_t)c->width * (size_t)c->height;
	uint8_t *pixels = malloc(n);
	if (!pixels)
		return err_set(e, "no memory for a picture of %d×%d", c->width, c->height);
	for (size_t i = 0; i < n; i++)
		pixels[i] = (uint8_t)canvas_clamp(c->grey[i] + 0.5f, 0, 255);
	*out = (struct image){ c->width, c->height, pixels };
	return 0;
}
