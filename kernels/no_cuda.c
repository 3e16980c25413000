// Stands in for cuda.c where there was no CUDA to build with.
#include "kernels/cuda.h"

int cuda_engine_open(const struct cuda_options *options, struct engine **engine, struct err *e)
{
	(void)options, (void)engine;
	return err_set(e, "this build has no CUDA engine: make CUDA=1 builds one, where nvcc is");
}
