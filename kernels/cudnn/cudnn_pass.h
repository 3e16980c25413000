// cudnn_pass: the network as cuDNN computes it, for a fixed number of pictures: forward, backward, and as a captured graph.
//
// A struct cudnn_place is the memory and the stream of one context or trainer; passes of several sizes share it. Only cudnn_engine.c
// and cudnn_trainer.c include this; one thread at a time.
#pragma once

#include "kernels/cuda/cuda_engine.h"
#include "kernels/cudnn/cudnn.h"
#include "kernels/cudnn/cudnn_parts.h"

enum { CUDNN_MAX_PARAMS = 61740 }; // of the networks that there are

// 0 where net has the layers that are known here, those of one of lenet5_at's.
int cudnn_computes(const struct lenet5 *net, struct err *e);

// A model in device memory: what the kernels read of it, and its parameters in lenet.bin's order.
struct cudnn_model {
	struct cudnn_network network;
	_Alignas(CUDNN_ALIGNMENT) float params[CUDNN_MAX_PARAMS];
};

// to: device memory. It is there when this returns.
int cudnn_model_upload(struct engine *engine, const struct engine_network *network, struct cudnn_model *to, struct err *e);

struct cudnn_place {
	struct engine *engine;
	cudaStream_t stream;
	struct cudnn_session session;
	const struct lenet5 *net; // in hand; memory is there for any
	struct cudnn_model *model; // device memory, as all that follows
	// Each layer's output, (max_n, maps, y, x), activated; but C1 and C3 before a max-pooling, and logits, lack their bias.
	float *maps[LENET5_N_LAYERS];
	// For training only, of net: of S2 and S4, (max_n, …), which of a window's four won, or their sum; the gradients of
	// what is in maps, from C1 on; of the parameters; the momentum; and struct cudnn_map_gradients' sums.
	uint8_t *from[LENET5_N_LAYERS];
	float *sums[LENET5_N_LAYERS];
	float *dmaps[LENET5_N_LAYERS];
	float *gradient, *momentum, *map_sums;
};

// All for up to max_n pictures of net. place is all zeros where this fails.
int cudnn_place_open(struct engine *engine, const struct lenet5 *net, int max_n, bool training, struct cudnn_place *place,
		     struct err *e);
void cudnn_place_close(struct cudnn_place *place); // after its passes; one that is all zeros is fine

struct cudnn_pass {
	int n;
	struct cudnn_conv convs[3][LENET5_N_LAYERS]; // by enum cudnn_direction; all zeros where there is none
	void *workspace;
	cudaGraphExec_t graphs[2]; // by the enum lenet5_pooling of the networks for which they are good
};

// Passes of batches[0..n_passes) pictures, the largest first, which compute a picture alike (cudnn_conv_plan); for training, of
// the place's network alone. passes: (n_passes), all zeros where this fails.
int cudnn_passes_open(const struct cudnn_place *place, const int *batches, int n_passes, bool training, struct cudnn_pass *passes,
		      struct err *e);
void cudnn_pass_close(const struct cudnn_place *place, struct cudnn_pass *pass); // one that is all zeros is fine

// Put into the place's stream: maps[C1] to maps[F6] from maps[INPUT]; of logits, maps[OUTPUT].
int cudnn_pass_forward(const struct cudnn_place *place, const struct cudnn_pass *pass, struct err *e);

// After that: n pictures' scores (n, 10), the output layer as it is meant.
int cudnn_pass_scores(const struct cudnn_place *place, int n, float *scores, struct err *e);

// The gradient from dmaps[OUTPUT], after a forward pass.
int cudnn_pass_backward(const struct cudnn_place *place, const struct cudnn_pass *pass, struct err *e);

// Runs once what put(context, e) puts into the place's stream, and captures it as the pass's graph for networks that pool like the
// place's. It runs first because cuDNN loads what it needs when it first computes, and cannot while the stream is being captured.
int cudnn_pass_capture(const struct cudnn_place *place, struct cudnn_pass *pass, int (*put)(void *context, struct err *e),
		       void *context, struct err *e);
