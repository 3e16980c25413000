#include "models/drawing.h"

#include <math.h>

float drawing_uniform(struct drawing *c, float low, float high)
{
	return low + (high - low) * (float)(rng_next(&c->rng) >> 8) / 16777216.0f;
}

bool drawing_chance(struct drawing *c, float p)
{
	return drawing_uniform(c, 0, 1) < p;
}

int drawing_pick(struct drawing *c, int n)
{
	return (int)(drawing_uniform(c, 0, 1) * (float)n) % n;
}

float drawing_clamp(float v, float low, float high)
{
	return v < low ? low : v > high ? high : v;
}

void drawing_put(struct drawing *c, int x, int y, float level, float alpha)
{
	if (x < 0 || y < 0 || x >= c->width || y >= c->height || alpha <= 0)
		return;
	float *p = &c->grey[y * c->width + x];
	*p += (level - *p) * (alpha > 1 ? 1 : alpha);
}

void drawing_stroke(struct drawing *c, float x0, float y0, float x1, float y1, float width, float level)
{
	float dx = x1 - x0, dy = y1 - y0, length2 = dx * dx + dy * dy, r = width / 2 + 1;
	int left = (int)floorf(fminf(x0, x1) - r), right = (int)ceilf(fmaxf(x0, x1) + r);
	int top = (int)floorf(fminf(y0, y1) - r), bottom = (int)ceilf(fmaxf(y0, y1) + r);
	for (int y = top < 0 ? 0 : top; y <= bottom && y < c->height; y++)
		for (int x = left < 0 ? 0 : left; x <= right && x < c->width; x++) {
			float t = length2 > 0 ? drawing_clamp((((float)x - x0) * dx + ((float)y - y0) * dy) / length2, 0, 1) : 0;
			float ex = (float)x - x0 - t * dx, ey = (float)y - y0 - t * dy;
			drawing_put(c, x, y, level, width / 2 + 0.5f - sqrtf(ex * ex + ey * ey));
		}
}
