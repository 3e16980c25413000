// cuda_engine: what the parts of the GPU engines share. Plain C; only kernels/cuda/ and kernels/cudnn/ include it.
#pragma once

#include "core/engine.h"

#include <cuda_runtime_api.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cudnn;

struct cuda_engine {
	struct engine base;
	int device;
	int n_multiprocessors;
	struct cudnn *cudnn; // of the engine by cuDNN only
};

// Every call of the CUDA runtime goes through here: 0, or -1 with e saying what failed and why. An error that sticks, after
// which nothing works any more in this process, marks the engine as lost.
//   if (CUDA(engine, cudaMalloc(&p, n), e)) goto out;
#define CUDA(engine, call, e) cuda_check(engine, call, #call, e)
int cuda_check(struct engine *engine, cudaError_t error, const char *call, struct err *e);

// Makes the engine's device the calling thread's CUDA device. Every function of the engine begins with it.
int cuda_enter(struct engine *engine, struct err *e);

// The same before frees, without an error. A thread that never computed may free, and cudaFree would open a context on device 0.
void cuda_enter_to_free(struct engine *engine);

// Allocate device memory, and page-locked memory of this machine, zeroed, which the device reads and writes at the same address.
// The caller frees by cudaFree and cudaFreeHost, which take NULL.
int cuda_alloc(struct engine *engine, size_t bytes, void **pointer, struct err *e);
int cuda_alloc_pinned(struct engine *engine, size_t bytes, void **pointer, struct err *e);

// Copies the pixels of n pictures, or their ink if pixels is NULL, into the context's memory, unless they are there already.
void cuda_take(struct engine_context *context, const uint8_t *pixels, const float *ink, int n);

// engine_peak, with own kernels and with cuDNN.
double cuda_engine_peak(struct engine *engine, int n_threads);

// Copies to the device, and waits for it.
int cuda_upload(struct engine *engine, void *to, const void *from, size_t bytes, struct err *e);

// Device memory that grows as needed. Zero-initialise; cudaFree frees `at`.
struct cuda_buffer {
	void *at;
	size_t bytes;
};

// Makes the buffer at least so large and puts a copy from this machine's memory into the stream; from may be NULL: no copy. What was
// in the buffer is lost. After a failure it may be empty.
int cuda_buffer_fill(struct engine *engine, struct cuda_buffer *buffer, const void *from, size_t bytes, cudaStream_t stream,
		     struct err *e);

// Makes a graph of what put(context, e) puts into the stream, without running it. The caller destroys *graph.
int cuda_capture(struct engine *engine, cudaStream_t stream, int (*put)(void *context, struct err *e), void *context,
		 cudaGraphExec_t *graph, struct err *e);

int cuda_trainer_open(struct engine *, const struct engine_training *, struct engine_trainer **, struct err *);
void cuda_trainer_close(struct engine_trainer *);
int cuda_trainer_data(struct engine_trainer *, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *);
int cuda_trainer_steps(struct engine_trainer *, const uint32_t *order, uint32_t n, const float *rates, float *losses, struct err *);
int cuda_trainer_read(struct engine_trainer *, float *params, float *momentum, struct err *);

#ifdef __cplusplus
}
#endif
