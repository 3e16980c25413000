// emulate: a GPU for the tests that has none. The kernels (kernels/*/*.cu) are compiled for this processor, and what
// cuda_runtime_api.h declares is implemented on it, so that all of the engine but its speed is tested anywhere.
//
// What it is strict about, to find what a real GPU might forgive or hide:
//   - work waits in its stream until somebody synchronises with it or asks (cudaStreamQuery): a result that is read too
//     early is not there;
//   - device and shared memory begin as NaNs;
//   - between two barriers the threads of a block run one after the other, in an order that the test chooses: a barrier that
//     is missing shows as different bits;
//   - a block gets no more dynamic shared memory than the card has, and more than 48 KB only where the kernel asked for it;
//   - the n-th call of a function can be made to fail.
#pragma once

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

enum emulate_order { EMULATE_FORWARDS, EMULATE_BACKWARDS, EMULATE_SHUFFLED };
void emulate_threads(enum emulate_order order); // of a block's threads, from the next launch on

// The call of `function` ("cudaGraphLaunch", or "kernel": the execution of one) after `good` good ones fails with `error`,
// and so does everything after it: the error sticks, as those of a lost GPU do. NULL: all is well again.
void emulate_failure(const char *function, int good, cudaError_t error);

// As above, but only that one call fails.
void emulate_failure_once(const char *function, int good, cudaError_t error);

// What is there: 1 device unless told otherwise. The error is that of cudaGetDeviceCount. No device has a context then.
void emulate_devices(int n, cudaError_t error);

// The devices that a context was opened on: bit i is device i. As CUDA does, any thread that makes or frees something opens one
// on its current device, which is 0 until it sets another.
unsigned emulate_contexts(void);

// The card's compute capability: 7.0, 7.5, 8.0, 8.6, 8.9 or 9.0. It is 7.5, which has the least shared memory of those that
// the engine serves, unless told otherwise.
void emulate_card(int major, int minor);

// What kernels have done since the process began: blocks that ran, and fences for the host and atomic operations of any thread.
extern struct emulate_counts {
	long blocks, system_fences, atomics;
} emulate_counts;

// Allocations (device and pinned), streams, graphs and events that are alive.
int emulate_objects(void);

#ifdef __cplusplus
}
#endif
