// fake_compute: the convolutions of fake_cudnn, in double.
#pragma once

#include <cudnn.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tensor {
	int64_t id, dims[4], alignment;
};

// A convolution to be done: tensors and pointers are x, w and y.
struct job {
	cudnnBackendDescriptorType_t type;
	struct tensor tensors[3];
	float *pointers[3];
	void *workspace;
	size_t workspace_bytes;
	bool other_bits; // the sums are one unit in the last place off
};

// Does a struct job: a function for cudaLaunchHostFunc.
void fake_compute(void *job);
