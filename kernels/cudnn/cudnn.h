// cudnn: loads cuDNN 9 when asked to, and plans and runs one convolution. It knows no layers.
//
// A struct cudnn is the library, found and checked; any thread may use it. A struct cudnn_session is one thread's use of it
// on one stream. Only kernels/cudnn*.c include this.
#pragma once

#include "core/err.h"

#include <cudnn.h>

#include <stdbool.h>
#include <stddef.h>

struct cudnn {
	void *library; // of dlopen
	bool tf32; // tensor cores, which round a convolution's inputs to 10 bits of mantissa, may be used
	char version[16]; // "9.19.0"
	size_t (*get_version)(void);
	const char *(*get_error_string)(cudnnStatus_t);
	void (*get_last_error_string)(char *message, size_t max_size);
	cudnnStatus_t (*create)(cudnnHandle_t *);
	cudnnStatus_t (*destroy)(cudnnHandle_t);
	cudnnStatus_t (*set_stream)(cudnnHandle_t, cudaStream_t);
	cudnnStatus_t (*descriptor_create)(cudnnBackendDescriptorType_t, cudnnBackendDescriptor_t *);
	cudnnStatus_t (*descriptor_destroy)(cudnnBackendDescriptor_t);
	cudnnStatus_t (*descriptor_finalize)(cudnnBackendDescriptor_t);
	cudnnStatus_t (*attribute_set)(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t, cudnnBackendAttributeType_t,
				       int64_t count, const void *elements);
	cudnnStatus_t (*attribute_get)(cudnnBackendDescriptor_t const, cudnnBackendAttributeName_t, cudnnBackendAttributeType_t,
				       int64_t room, int64_t *count, void *elements);
	cudnnStatus_t (*execute)(cudnnHandle_t, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t variant_pack);
};

// What a session computes on: a handle on the calling thread's CUDA device; or, for plans that are made and never run, a
// description of a device that need not be there (cuDNN 9.8 and later).
struct cudnn_session {
	const struct cudnn *cudnn;
	cudnnHandle_t handle;
	cudnnBackendDescriptor_t device; // a description; NULL where there is a handle
};

// Finds libcudnn.so.9 as the dynamic linker does. -1, and e says what to do, where it is not there, is another major
// version, or lacks a function.
int cudnn_open(bool tf32, struct cudnn **cudnn, struct err *e);
void cudnn_close(struct cudnn *cudnn); // NULL is fine

// 0, or -1 with what cuDNN says of the call that just failed.
int cudnn_check(const struct cudnn *cudnn, cudnnStatus_t status, const char *call, struct err *e);

// The stream is the caller's and outlives the session.
int cudnn_session_open(const struct cudnn *cudnn, cudaStream_t stream, struct cudnn_session *session, struct err *e);
// description: cuDNN's JSON of a device.
int cudnn_session_open_for(const struct cudnn *cudnn, const char *description, struct cudnn_session *session, struct err *e);
void cudnn_session_close(struct cudnn_session *session); // one that is all zeros is fine

enum cudnn_direction { CUDNN_CONV_FORWARD, CUDNN_CONV_DATA, CUDNN_CONV_FILTER };

// x (n, in_maps, in_side, in_side), w (maps, in_maps, k, k) with k = in_side − side + 1, y (n, maps, side, side).
struct cudnn_shape {
	int n, in_maps, in_side, maps, side;
};

// One convolution, y = x ⋆ w (cross-correlation, nothing padded), or a gradient of it, planned for one shape.
struct cudnn_conv {
	cudnnBackendDescriptor_t plan;
	size_t workspace_bytes;
	int engine; // cuDNN's number of the engine, for tests
};

enum {
	CUDNN_ALIGNMENT = 16, // of every pointer to x, w and y, in bytes
	CUDNN_MAX_SHAPES = 32, // that are planned together
};

// Plans one convolution for n_shapes shapes that differ in n alone, the largest first. All get the same engine with the same
// settings of its knobs (sizes of tiles, splits of sums), so that a picture's sums are added in the same order in each of
// them: cuDNN left alone takes other settings for another n. It is the first configuration that the heuristics list for
// shapes[0], that is deterministic and full FP32 (unless tf32), and of which all plans can be made. convs: (n_shapes).
int cudnn_conv_plan(const struct cudnn_session *session, enum cudnn_direction direction, const struct cudnn_shape *shapes,
		    int n_shapes, struct cudnn_conv *convs, struct err *e);
// Only when no graph that captured it is left: the kernels' code may belong to the plan.
void cudnn_conv_free(const struct cudnn_session *session, struct cudnn_conv *conv);

// Puts it into the session's stream: y from x and w (forward), x from w and y (data), w from x and y (filter). Device
// pointers; workspace: workspace_bytes.
int cudnn_conv_run(const struct cudnn_session *session, const struct cudnn_conv *conv, const float *x, const float *w,
		   const float *y, void *workspace, struct err *e);
