// Each pixel of the new picture is taken from a point in the old one: a matrix around the centre, a shift and a smooth random field
// give the point. The value there is interpolated bilinearly; outside the picture is background. The field is that of Simard,
// Steinkraus and Platt, "Best Practices for Convolutional Neural Networks", ICDAR 2003: uniform noise, smoothed by a Gaussian. The
// Gaussian is separable: one pass smooths down the columns and writes its result transposed, so two passes smooth both ways. The inner
// loop runs along whole rows, so the compiler vectorises it.
#include "models/augment.h"

#include "core/lenet5.h"
#include "core/rng.h"
#include "models/parallel.h"

#include <math.h>
#include <string.h>

enum {
	SIDE = LENET5_SIDE,
	FRAMED = SIDE + 3, // one background pixel before, two behind: bilinear reads one further than its point
};

struct plane {
	float at[SIDE][SIDE];
};

// Where the new picture's pixels come from: at (x, y) from centre + matrix·((x, y) − centre) + shift + field.
struct warp {
	float matrix[2][2], shift[2];
	struct plane field[2];
};

// The Gaussian as a matrix: at[i][j] is the weight of row j in row i of the result, scaled so that smoothing uniform noise
// in ±1 both ways gives a root mean square of `elastic` away from the border.
static void make_kernel(const struct augment *limits, struct plane *kernel)
{
	double taps[SIDE], squares = 0;
	for (int d = 0; d < SIDE; d++) {
		double z = d / limits->elastic_sigma;
		taps[d] = exp(-z * z / 2);
		squares += (d ? 2 : 1) * taps[d] * taps[d];
	}
	double scale = sqrt(limits->elastic * sqrt(3) / squares);
	for (int i = 0; i < SIDE; i++)
		for (int j = 0; j < SIDE; j++)
			kernel->at[i][j] = (float)(scale * taps[i > j ? i - j : j - i]);
}

static void smooth_transposed(const struct plane *kernel, const struct plane *from, struct plane *to)
{
	for (int i = 0; i < SIDE; i++) {
		float row[SIDE] = { 0 };
		for (int j = 0; j < SIDE; j++)
			for (int x = 0; x < SIDE; x++)
				row[x] += kernel->at[i][j] * from->at[j][x];
		for (int x = 0; x < SIDE; x++)
			to->at[x][i] = row[x];
	}
}

static void draw_field(const struct plane *kernel, struct rng *rng, struct plane field[2])
{
	struct plane half;
	for (int y = 0; y < SIDE; y++) {
		for (int x = 0; x < SIDE; x++) {
			uint32_t bits = rng_next(rng);
			field[0].at[y][x] = (float)((int)(bits >> 16) - 32768) / 32768;
			field[1].at[y][x] = (float)((int)(bits & 0xffff) - 32768) / 32768;
		}
	}
	for (int axis = 0; axis < 2; axis++) {
		smooth_transposed(kernel, &field[axis], &half);
		smooth_transposed(kernel, &half, &field[axis]);
	}
}

static float within(struct rng *rng, double limit)
{
	return rng_uniform(rng, (float)-limit, (float)limit);
}

// Draws the same numbers in the same order whatever the limits are: switching one distortion off leaves the others unchanged.
static void draw_warp(const struct augment *limits, const struct plane *kernel, struct rng *rng, struct warp *w)
{
	float angle = within(rng, limits->rotate) * 0.017453293f;
	float across = 1 / (1 + within(rng, limits->scale)), down = 1 / (1 + within(rng, limits->scale));
	float shear = within(rng, limits->shear);
	for (int axis = 0; axis < 2; axis++)
		w->shift[axis] = within(rng, limits->shift);

	float c = cosf(angle), s = sinf(angle);
	w->matrix[0][0] = across * c;
	w->matrix[0][1] = across * (shear * c - s);
	w->matrix[1][0] = down * s;
	w->matrix[1][1] = down * (shear * s + c);
	if (limits->elastic > 0)
		draw_field(kernel, rng, w->field);
	else
		memset(w->field, 0, sizeof w->field);
}

// A source coordinate in the framed picture, where pixel 0 lies at 1; points beyond the frame move to its edge.
static float framed(float x)
{
	return x < -1 ? 0 : x > SIDE ? SIDE + 1 : x + 1;
}

static void apply(const struct warp *w, const uint8_t *from, uint8_t *to)
{
	float picture[FRAMED][FRAMED] = { { 0 } };
	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++)
			picture[y + 1][x + 1] = from[y * SIDE + x];

	const float centre = (SIDE - 1) / 2.0f;
	for (int y = 0; y < SIDE; y++) {
		for (int x = 0; x < SIDE; x++) {
			float dx = (float)x - centre, dy = (float)y - centre;
			float at_x = centre + w->matrix[0][0] * dx + w->matrix[0][1] * dy + w->shift[0] + w->field[0].at[y][x];
			float at_y = centre + w->matrix[1][0] * dx + w->matrix[1][1] * dy + w->shift[1] + w->field[1].at[y][x];
			at_x = framed(at_x);
			at_y = framed(at_y);
			int left = (int)at_x, top = (int)at_y;
			float u = at_x - (float)left, v = at_y - (float)top;
			const float *above = &picture[top][left], *below = above + FRAMED;
			float value = (1 - v) * ((1 - u) * above[0] + u * above[1]) + v * ((1 - u) * below[0] + u * below[1]);
			to[y * SIDE + x] = (uint8_t)(value + 0.5f);
		}
	}
}

struct epoch {
	const struct augment *limits;
	const struct plane *kernel;
	const uint8_t *from;
	uint8_t *to;
	uint32_t seed, number;
};

static void distort(void *context, uint32_t begin, uint32_t end)
{
	const struct epoch *p = context;
	for (uint32_t i = begin; i < end; i++) {
		struct rng rng;
		struct warp warp;
		rng_init_stream(&rng, p->seed, (uint64_t)p->number << 32 | i);
		draw_warp(p->limits, p->kernel, &rng, &warp);
		apply(&warp, p->from + (size_t)i * LENET5_PIXELS, p->to + (size_t)i * LENET5_PIXELS);
	}
}

bool augment_is_none(const struct augment *a)
{
	return a->rotate <= 0 && a->scale <= 0 && a->shear <= 0 && a->shift <= 0 && a->elastic <= 0;
}

void augment_epoch(const struct augment *limits, uint32_t seed, uint32_t epoch, const uint8_t *from, uint32_t n, uint8_t *to,
		   int n_threads)
{
	struct plane kernel;
	make_kernel(limits, &kernel);
	parallel_run(n, n_threads, distort, &(struct epoch){ limits, &kernel, from, to, seed, epoch });
}
