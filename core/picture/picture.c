#include "core/picture/picture.h"

#include "core/clock.h"

#include <inttypes.h>
#include <stdlib.h>

void picture_free(struct picture *picture)
{
	free(picture->luma);
	*picture = (struct picture){ 0 };
}

bool picture_is_late(const struct picture_limits *limits, struct err *e)
{
	bool is_late = limits->deadline_ns && clock_now_ns() >= limits->deadline_ns;
	if (!is_late && !(limits->gone && atomic_load(limits->gone)))
		return false;
	err_set(e, "the picture could not be decoded in time: make it smaller, or try again later");
	return true;
}

enum picture_result picture_check_size(uint32_t width, uint32_t height, const char *whole, const struct picture_limits *limits,
				       struct err *e)
{
	uint64_t n = (uint64_t)width * height;
	if (n > limits->max_pixels)
		err_set(e, "%u×%u pixels are more than the limit of %" PRIu64 ": make the picture smaller", width, height,
			limits->max_pixels);
	else if (width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE)
		err_set(e, "%u×%u pixels: a side of more than %d is not read; make the picture smaller", width, height,
			PICTURE_MAX_SIDE);
	else if (whole && n > limits->max_whole_pixels)
		err_set(e,
			"%u×%u pixels are more than the limit of %" PRIu64
			" for %s, which must be held whole: make the picture smaller, or save it as a baseline JPEG or a PNG",
			width, height, limits->max_whole_pixels, whole);
	else
		return PICTURE_OK;
	return PICTURE_TOO_LARGE;
}
