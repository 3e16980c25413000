// cuda: the GPU engines. A build without CUDA links no_cuda.c in their place, one without cuDNN no_cudnn.c.
//
// Both return -1 where the engine cannot work, and e names the cause: no driver, a driver that is too old, no such device, a build
// without CUDA; no cuDNN, or one that does not work on this device.
#pragma once

#include "core/engine.h"

#include <stdbool.h>

// Our own kernels, on the device that the CUDA runtime counts as `device`.
int cuda_engine_open(int device, struct engine **engine, struct err *e);

// The same engine with its layers by cuDNN, which this call loads. tf32: on tensor cores. Opening a context fails unless a picture
// gets the same bits in every batch.
int cudnn_engine_open(int device, bool tf32, struct engine **engine, struct err *e);
