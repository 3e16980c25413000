// Stands in for cudnn*.c where there was no cudnn.h to build with.
#include "kernels/cuda/cuda.h"

int cudnn_engine_open(int device, bool tf32, struct engine **engine, struct err *e)
{
	(void)device, (void)tf32, (void)engine;
	return err_set(e, "this build has no cuDNN: install cuDNN 9's cudnn.h beside the CUDA toolkit's headers and build again");
}
