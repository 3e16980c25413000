// Stands in for cudnn*.c where there was no cudnn.h to build with.
#include "kernels/cudnn_engine.h"

int cudnn_engine_attach(struct cuda_engine *engine, bool tf32, struct err *e)
{
	(void)engine, (void)tf32;
	return err_set(e, "this build is without cuDNN: make builds it in where cudnn.h of cuDNN 9 is beside the CUDA toolkit's headers");
}
