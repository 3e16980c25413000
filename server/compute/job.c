#include "server/compute/job.h"

#include <string.h>

void job_ink(const struct job *job, int first, int n, float *ink)
{
	size_t at = (size_t)first * LENET5_PIXELS, count = (size_t)n * LENET5_PIXELS;
	if (job->ink)
		memcpy(ink, job->ink + at, count * sizeof *ink);
	else
		engine_ink_from_pixels(job->pixels + at, count, ink);
}
