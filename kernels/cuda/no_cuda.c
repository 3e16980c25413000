// Stands in for the GPU engines where there was no CUDA to build with.
#include "kernels/cuda/cuda.h"

int cuda_engine_open(int device, struct engine **engine, struct err *e)
{
	(void)device, (void)engine;
	return err_set(e, "this build has no CUDA engine: build with make CUDA=1 where nvcc is installed");
}

int cudnn_engine_open(int device, bool tf32, struct engine **engine, struct err *e)
{
	(void)tf32;
	return cuda_engine_open(device, engine, e);
}
