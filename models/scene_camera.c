#include "models/scene_camera.h"

#include <math.h>
#include <stdlib.h>

// A lamp's reflection: a soft spot that covers ink and paper alike.
static void reflect(struct drawing *c)
{
	float x0 = drawing_uniform(c, 0, 1) * (float)c->width, y0 = drawing_uniform(c, 0, 1) * (float)c->height;
	float side = (float)(c->width < c->height ? c->width : c->height), a = drawing_uniform(c, 0.05f, 0.3f) * side,
	      b = drawing_uniform(c, 0.05f, 0.3f) * side, angle = drawing_uniform(c, 0, 3.1415927f), s = sinf(angle),
	      k = cosf(angle);
	float most = drawing_uniform(c, 0.3f, 0.9f);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float dx = (float)x - x0, dy = (float)y - y0, u = (k * dx + s * dy) / a, v = (k * dy - s * dx) / b;
			drawing_put(c, x, y, 250, most * expf(-0.5f * (u * u + v * v)));
		}
}

void scene_camera_light(struct drawing *c)
{
	float gx = 0, gy = 0, vignette = 0, shade = 1, edge = 0, angle = drawing_uniform(c, 0, 6.2831853f);
	float amount = drawing_chance(c, 0.6f) ? drawing_uniform(c, 0, 0.5f) : 0;
	gx = amount * cosf(angle), gy = amount * sinf(angle);
	if (drawing_chance(c, 0.3f))
		vignette = drawing_uniform(c, 0, 0.5f);
	if (drawing_chance(c, 0.1f))
		shade = drawing_uniform(c, 0.5f, 0.9f), edge = drawing_uniform(c, -0.5f, 0.5f);
	float sx = cosf(angle * 3), sy = sinf(angle * 3);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			float u = (float)x / (float)c->width - 0.5f, v = (float)y / (float)c->height - 0.5f;
			float l = 1 + gx * u + gy * v - vignette * (u * u + v * v);
			if (shade < 1)
				l *= 1 - (1 - shade) * drawing_clamp((sx * u + sy * v - edge) * 20, 0, 1);
			c->grey[y * c->width + x] *= l;
		}
	for (int n = drawing_chance(c, 0.15f) ? 1 + drawing_pick(c, 2) : 0; n > 0; n--)
		reflect(c);
}

// Three box means are nearly a Gaussian.
static int blur(struct drawing *c, float sigma, struct err *e)
{
	int r = (int)(sigma + 0.5f);
	float *line = malloc((size_t)(c->width > c->height ? c->width : c->height) * sizeof *line);
	if (!line)
		return err_set(e, "no memory for a scene");
	for (int round = 0; round < 4; round++) {
		bool rows = round % 2 == 0;
		int n = rows ? c->width : c->height, m = rows ? c->height : c->width, step = rows ? 1 : c->width,
		    across = rows ? c->width : 1;
		for (int j = 0; j < m; j++) {
			float *at = c->grey + j * across, sum = 0;
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
	}
	free(line);
	return 0;
}

// The pixels of a display, and the waves that they make with the camera's.
static void mesh(struct drawing *c)
{
	float depth = drawing_uniform(c, 0.1f, 0.5f), wave = drawing_uniform(c, 0, 0.3f), length = drawing_uniform(c, 15, 80),
	      angle = drawing_uniform(c, 0, 6.2831853f), u = cosf(angle) / length, v = sinf(angle) / length;
	int period = 2 + drawing_pick(c, 3);
	for (int y = 0; y < c->height; y++)
		for (int x = 0; x < c->width; x++) {
			bool gap = x % period == 0 || y % period == 0;
			float *p = &c->grey[y * c->width + x];
			*p *= (gap ? 1 - depth : 1) * (1 + wave * (sinf(6.2831853f * (u * (float)x + v * (float)y)) - 1));
		}
}

int scene_camera_expose(struct drawing *c, struct image *image, struct err *e)
{
	size_t n = (size_t)c->width * (size_t)c->height;
	float noise = drawing_chance(c, 0.1f) ? drawing_uniform(c, 6, 45) : drawing_chance(c, 0.6f) ? drawing_uniform(c, 0, 6) : 0;
	if (drawing_chance(c, 0.4f) && blur(c, drawing_uniform(c, 0.5f, 2.5f), e))
		return -1;
	if (drawing_chance(c, 0.05f))
		mesh(c);
	*image = (struct image){ c->width, c->height, malloc(n) };
	if (!image->pixels)
		return err_set(e, "no memory for a scene");
	for (size_t i = 0; i < n; i++) {
		float v = c->grey[i];
		if (noise > 0)
			v += noise * (drawing_uniform(c, -1, 1) + drawing_uniform(c, -1, 1) + drawing_uniform(c, -1, 1));
		image->pixels[i] = (uint8_t)drawing_clamp(v + 0.5f, 0, 255);
	}
	return 0;
}
