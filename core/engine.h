// engine: the seam between what computes a network and what uses it. kernels/ implements it; models/ and server/ use nothing else.
//
// An engine works on whole networks, never on single layers, so that a CPU can fuse and block as it likes and a GPU can
// capture a graph. core/lenet5_reference.c is the specification; every engine is tested against it and against tests/golden/.
//
// Three things come out of an engine:
//   a model    parameters as the engine wants them. Immutable, reference-counted; any thread may use it.
//   a context  the working memory of one calling thread at a time; computes any model of its engine.
//   a trainer  parameters that change; one calling thread at a time.
// The caller frees and closes all of them before it closes their engine.
//
// Results are reproducible bit for bit. A picture's scores depend on that picture, the model and the engine alone: not on the other
// pictures of the batch, its place among them, or the number of threads. (With cuDNN they depend also on the context's max_batch, for
// which it chooses its algorithms.) Training depends on parameters, data and order alone.
#pragma once

#include "core/err.h"
#include "core/lenet5.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a user may ask for; kernels/engines.h chooses.
struct engine_choice {
	const char *device; // "auto", "cpu", "cuda" or "cuda:N"
	// On a GPU: "cudnn", "own", or "auto" (so is NULL): cuDNN where it can be opened and passes the check of its bits, our own
	// kernels where not, and for training.
	const char *kernels;
	bool tf32; // with kernels "cudnn": on tensor cores, which round inputs to 10 bits of mantissa
	const char *isa; // "avx512", "avx2" or "portable", which ask for the CPU; NULL: the best that it has
	bool training; // the engine is to train
	int max_batch; // the largest max_batch of a later context, for which cuDNN is tried; 0 means 1
};
enum { ENGINE_WHY_BYTES = 512 }; // of the line that says what was chosen, and for what reason

struct engine;
struct engine_model;
struct engine_context;
struct engine_trainer;

// A network with numbers in it. Borrowed for the call that takes it.
struct engine_network {
	const struct lenet5 *net;
	float mean, std; // of the input; a file may differ from the network's own
	const float *params; // (net->n_params), laid out as net->tensors says
};

// Every layer's output for one picture, in the order of the paper: c1[map][y][x] and so on, after its activation.
struct engine_trace {
	float input[32 * 32], c1[6 * 28 * 28], s2[6 * 14 * 14], c3[16 * 10 * 10], s4[16 * 5 * 5], c5[120], f6[84], output[10];
};

// The loss of one picture, whose digit is D.
enum engine_loss {
	ENGINE_CROSS_ENTROPY, // −log of D's softmax: for logits
	ENGINE_MSE, // y_D, the paper's eq. 8: for penalties y
	ENGINE_MAP, // y_D + log(e^−j + Σ_i e^−y_i), eq. 9: for penalties
};

// What a trainer is opened for. Data is borrowed until the trainer closes or is given other data.
struct engine_training {
	struct engine_network start;
	enum engine_loss loss;
	float j; // of ENGINE_MAP: the penalty of the class "rubbish"
	const float *momentum; // (net->n_params) to go on from, or NULL for zeros
	int batch; // pictures a step, at least 1
	int n_threads; // at most; an engine may use fewer
	float momentum_rate; // v ← momentum_rate·v + g
	float weight_decay; // g includes weight_decay·p
	// Of ENGINE_CROSS_ENTROPY: the target is (1−s)·one-hot + s/10; of LENET5_NO_DIGIT it is 1/10 for every digit.
	float label_smoothing;
	const float *curvature; // (net->n_params) as engine_trainer_curvature gave it, or NULL: one rate for all
	float mu; // with a curvature h: parameter k's rate is rate/(mu + h_k); above 0
};

struct engine_ops {
	void (*close)(struct engine *);
	int (*model_new)(struct engine *, const struct engine_network *, struct engine_model **, struct err *);
	void (*model_free)(struct engine_model *);
	int (*context_open)(struct engine *, int max_batch, int n_threads, struct engine_context **, struct err *);
	void (*context_close)(struct engine_context *);
	// From pixels, or, where these are NULL, from ink. Pixels are given only to contexts that have memory for them.
	int (*forward)(struct engine_context *, const struct engine_model *, const uint8_t *pixels, const float *ink, int n,
		       float *scores, struct err *);
	int (*trace)(struct engine_context *, const struct engine_model *, const float *ink, struct engine_trace *, struct err *);
	int (*trainer_open)(struct engine *, const struct engine_training *, struct engine_trainer **, struct err *);
	void (*trainer_close)(struct engine_trainer *);
	int (*trainer_data)(struct engine_trainer *, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *);
	int (*trainer_steps)(struct engine_trainer *, const uint32_t *order, uint32_t n, const float *rates, float *losses,
			     struct err *);
	int (*trainer_curvature)(struct engine_trainer *, const uint32_t *order, uint32_t n, float *curvature,
				 struct err *); // or NULL
	int (*trainer_read)(struct engine_trainer *, float *params, float *momentum, struct err *);
	double (*peak)(struct engine *, int n_threads);
};

// What every implementation's struct begins with.
struct engine {
	const struct engine_ops *ops;
	char name[64]; // for logs and cards: "cpu (AVX-512)"
	const char *kernels; // what computes: "own" or "cudnn" on a GPU, the instruction set on a CPU ("avx512")
	bool quick; // computing a picture costs less than handing it to another thread: each thread should have its own context
	bool lost; // set once, atomically, by the implementation: see engine_lost
};

// A model's common part. The count is atomic.
struct engine_model {
	struct engine *engine;
	int references;
	const struct lenet5 *net;
};
struct engine_context {
	struct engine *engine;
	int max_batch;
	float *ink; // (max_batch, 28, 28), the implementation's
	uint8_t *pixels; // (max_batch, 28, 28), may be the memory of ink; NULL where the engine takes ink only
};
struct engine_trainer {
	struct engine *engine;
	int batch;
	enum engine_loss loss; // kept by engine.c
	uint32_t n_data; // pictures that the last engine_trainer_data gave; kept by engine.c
};

void engine_close(struct engine *); // NULL is fine, as in every close and free here

// Returns whether the device is lost (a GPU's error that sticks). Every later call fails; only close and free. Any thread.
bool engine_lost(const struct engine *);

// Packs the parameters. The caller holds one reference to *model.
int engine_model_new(struct engine *, const struct engine_network *, struct engine_model **model, struct err *);
void engine_model_unref(struct engine_model *); // the last reference frees it

// max_batch: the most pictures of a forward pass. n_threads: at most so many work on them.
int engine_context_open(struct engine *, int max_batch, int n_threads, struct engine_context **context, struct err *);
void engine_context_close(struct engine_context *);

// Returns the context's own memory for ink, (max_batch, 28, 28), valid until the context closes. Some engines copy ink that is
// anywhere else. It is plain memory of this machine, which other engines can read too.
float *engine_context_ink(struct engine_context *);

// The same for engine_forward_pixels, (max_batch, 28, 28); it may be the same memory. NULL where the engine computes from ink
// alone: a caller that gathers pictures should then gather their ink.
uint8_t *engine_context_pixels(struct engine_context *);

// The ink of n pixels: pixel/255.0f.
void engine_ink_from_pixels(const uint8_t *pixels, size_t n, float *ink);

// ink: (n, 28, 28), 0 background to 1 ink; any finite number is taken as it is. scores: (n, 10), the output layer: logits or
// penalties. n is 1..max_batch.
int engine_forward(struct engine_context *, const struct engine_model *, const float *ink, int n, float *scores, struct err *);

// engine_forward of the ink of pixels (n, 28, 28), with the same bits. A GPU reads a quarter of the bytes over its bus. What was in
// engine_context_ink is overwritten.
int engine_forward_pixels(struct engine_context *, const struct engine_model *, const uint8_t *pixels, int n, float *scores,
			  struct err *);

// Every layer's output for one picture; its output has the same bits as engine_forward's.
int engine_trace(struct engine_context *, const struct engine_model *, const float *ink, struct engine_trace *trace, struct err *);

int engine_trainer_open(struct engine *, const struct engine_training *, struct engine_trainer **trainer, struct err *);
void engine_trainer_close(struct engine_trainer *);

// pixels: (n, 28, 28) bytes; labels: (n), 0..9, and with ENGINE_CROSS_ENTROPY
// LENET5_NO_DIGIT. Borrowed until the next call or the close. Bytes that
// change must be handed in again before the next steps.
int engine_trainer_data(struct engine_trainer *, const uint8_t *pixels, const uint8_t *labels, uint32_t n, struct err *);

// Stochastic gradient descent over the pictures order[0..n), `batch` a step, the last step taking what is left:
// g = the gradient of the step's mean loss; v ← momentum·v + g; p ← p − rates[step]·v. losses: each step's mean loss
// before its update. rates and losses have ceil(n/batch) entries.
int engine_trainer_steps(struct engine_trainer *, const uint32_t *order, uint32_t n, const float *rates, float *losses,
			 struct err *);

// Stochastic diagonal Levenberg-Marquardt (the paper's appendix C): estimates h, the diagonal of the Gauss-Newton Hessian of the
// mean loss over the pictures order[0..n) at the parameters as they are, and copies it out, (n_params). From here on
// engine_trainer_steps gives parameter k the rate rates[step]/(mu + h_k). Second derivatives come back through the layers as
// gradients do, but with weights, inputs and slopes squared, and a weight that is shared has the sum over its uses; of the loss
// by F6's outputs they are exact. h is 0 where nothing is trained. The trainer was opened with its mu. Engines may refuse networks of
// which they know only gradients.
int engine_trainer_curvature(struct engine_trainer *, const uint32_t *order, uint32_t n, float *curvature, struct err *e);

// Copies out parameters and momentum v, (n_params) each; either may be NULL.
int engine_trainer_read(struct engine_trainer *, float *params, float *momentum, struct err *);

// The most floating-point operations a second that n_threads of this engine reach (a device has no threads to count),
// measured now: takes about 0.2 s. What `lenet bench` compares with.
double engine_peak(struct engine *, int n_threads);
