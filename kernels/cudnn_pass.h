// cudnn_pass: the network as cuDNN computes it, for a fixed number of pictures: forward, backward, and as a captured graph.
//
// A struct cudnn_place is the memory and the stream that one context or trainer computes in; passes of several sizes share
// it. Only kernels/cudnn_engine.c and cudnn_trainer.c include this; one thread at a time.
#pragma once

#include "kernels/cuda_engine.h"
#include "kernels/cudnn.h"
#include "kernels/cudnn_parts.h"

enum { CUDNN_N_CONVS = 5 }; // C1, C3 and C5; F6 and output, as convolutions of one pixel by one

// 0 where net has the layers that are known here: max-pooling without weights, and a linear output.
int cudnn_computes(const struct lenet5 *net, struct err *e);

// A model in device memory: what the kernels read of it, and its parameters in lenet.bin's order.
struct cudnn_model {
	struct cudnn_network network;
	_Alignas(CUDNN_ALIGNMENT) float params[]; // (n_params)
};

size_t cudnn_model_bytes(const struct lenet5 *net);
// to: device memory, cudnn_model_bytes of it. It is there when this returns.
int cudnn_model_upload(struct engine *engine, const struct engine_network *network, struct cudnn_model *to, struct err *e);

struct cudnn_place {
	struct engine *engine;
	cudaStream_t stream;
	struct cudnn_session session;
	const struct lenet5 *net;
	struct cudnn_model *model; // device memory, as all that follows
	// Each layer's output, (max_n, maps, y, x): C1, C3 and the output layer before their bias, all else activated.
	float *maps[LENET5_N_LAYERS];
	// For training only: which of a window's four won, (max_n, …) of S2 and S4; the gradients of what is in maps, from
	// C1 on; of the parameters; and the momentum.
	uint8_t *from[LENET5_N_LAYERS];
	float *dmaps[LENET5_N_LAYERS];
	float *gradient, *momentum;
};

// All for up to max_n pictures of net. place is all zeros where this fails.
int cudnn_place_open(struct engine *engine, const struct lenet5 *net, int max_n, bool training, struct cudnn_place *place,
		     struct err *e);
void cudnn_place_close(struct cudnn_place *place); // after its passes; one that is all zeros is fine

struct cudnn_pass {
	int n;
	struct cudnn_conv convs[3][CUDNN_N_CONVS]; // by enum cudnn_direction; without training, forward only
	void *workspace;
	cudaGraphExec_t graph;
};

// Plans for n pictures. pass is all zeros where this fails.
int cudnn_pass_open(const struct cudnn_place *place, int n, bool training, struct cudnn_pass *pass, struct err *e);
void cudnn_pass_close(const struct cudnn_place *place, struct cudnn_pass *pass); // one that is all zeros is fine

// Put into the place's stream: maps[C1] to maps[OUTPUT] from maps[INPUT].
int cudnn_pass_forward(const struct cudnn_place *place, const struct cudnn_pass *pass, struct err *e);

// The gradient from dmaps[OUTPUT], after a forward pass.
int cudnn_pass_backward(const struct cudnn_place *place, const struct cudnn_pass *pass, struct err *e);

// Does once what `put` puts into the place's stream, and makes the pass's graph of it. put is called twice: cuDNN loads
// what it needs when it first computes, and could not while the stream is being captured.
int cudnn_pass_capture(const struct cudnn_place *place, struct cudnn_pass *pass,
		       int (*put)(void *context, struct cudnn_pass *pass, struct err *e), void *context, struct err *e);
