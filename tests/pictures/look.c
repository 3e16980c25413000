// The order of the layers.
#include "tests/pictures/look.h"

static int use_camera(struct canvas *c, const struct look *l, struct rng *rng, struct err *e)
{
	if (l->layers & LOOK_SCREEN)
		surroundings_screen(c, rng);
	if (l->layers & LOOK_BLUR && canvas_blur(c, l->blur, e))
		return -1;
	if (l->layers & LOOK_MOTION && canvas_motion(c, l->motion, rng_uniform(rng, 0, 3.1415927f), e))
		return -1;
	if (l->layers & LOOK_NOISE)
		canvas_add_noise(c, l->noise, rng);
	if (l->layers & LOOK_JPEG)
		canvas_jpeg(c, l->jpeg);
	return 0;
}

int look_render(const struct look *l, const struct shape *shape, struct rng *rng, struct image *image, struct err *e)
{
	struct canvas c;
	int status = -1;
	if (canvas_open(&c, l->width, l->height, l->paper, e))
		return -1;
	surface_below(&c, l, rng);
	if (shape)
		shape_draw(shape, &l->pen, &c);
	float grain_pixels = 0.015f * l->pen.size;
	canvas_ink(&c, l->ink, l->strength, l->grain, grain_pixels < 1 ? 1 : grain_pixels, rng_next(rng));
	surface_above(&c, l, rng);
	if (surroundings_place(&c, l, rng, e))
		goto out;
	surroundings_light(&c, l, rng);
	surroundings_border(&c, l, rng);
	if (use_camera(&c, l, rng, e) || canvas_expose(&c, image, e))
		goto out;
	status = 0;
out:
	canvas_close(&c);
	return status;
}
