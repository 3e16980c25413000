// cuda: the GPU engine. A build without CUDA links no_cuda.c in its place.
#pragma once

#include "core/engine.h"

#include <stdbool.h>

struct cuda_options {
	int device; // as the CUDA runtime counts them
	bool cudnn; // convolutions by cuDNN, not by our own kernels
	bool tf32; // with cudnn: on tensor cores
};

// -1 where this engine cannot work here: e names the cause (no driver, driver too old, no such device, no cuDNN, a build
// without CUDA).
int cuda_engine_open(const struct cuda_options *options, struct engine **engine, struct err *e);
