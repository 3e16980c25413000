// The GPU engine: finds the device, keeps models in its memory, and answers. What a block of threads computes is in
// cuda_layers.cuh and cuda_forward.cu; training is in cuda_trainer.c.
//
// A pass is one launch that reads pictures and writes scores in page-locked memory of the host, so there is nothing to capture or
// copy, and no sum depends on the batch. cuDNN (cudnn*.c) needs a dozen launches.
#include "kernels/cuda/cuda.h"

#include "kernels/cuda/cuda_engine.h"
#include "kernels/cuda/cuda_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model {
	struct engine_model base;
	struct cuda_network network;
};

struct context {
	struct engine_context base;
	cudaStream_t stream;
	float *scores; // (max_batch, 10), page-locked, as all that the kernel writes for us
	struct engine_trace *trace;
	unsigned *finished; // the last ticket that is done
	unsigned *n_ended; // the device's
	unsigned ticket;
	uint64_t *stamped; // (10), page-locked: the scores of a pass of one picture (struct cuda_forward)
};

static struct cuda_engine *cuda(const struct engine *engine)
{
	return (struct cuda_engine *)engine;
}

int cuda_check(struct engine *engine, cudaError_t error, const char *call, struct err *e)
{
	if (!error)
		return 0;
	err_set(e, "%s: %.*s: %s", engine->name, (int)strcspn(call, "("), call, cudaGetErrorString(error));
	cudaGetLastError(); // clears an error that does not stick
	cudaError_t again = cudaDeviceSynchronize(); // refused, without harm, while a stream captures
	if (again && again != cudaErrorStreamCaptureUnsupported)
		__atomic_store_n(&engine->lost, true, __ATOMIC_RELEASE);
	return -1;
}

int cuda_enter(struct engine *engine, struct err *e)
{
	return CUDA(engine, cudaSetDevice(cuda(engine)->device), e);
}

void cuda_enter_to_free(struct engine *engine)
{
	struct err e;
	(void)cuda_enter(engine, &e); // fails on a lost device only, where nothing can be freed
}

int cuda_alloc(struct engine *engine, size_t bytes, void **pointer, struct err *e)
{
	return CUDA(engine, cudaMalloc(pointer, bytes), e);
}

int cuda_alloc_pinned(struct engine *engine, size_t bytes, void **pointer, struct err *e)
{
	if (CUDA(engine, cudaHostAlloc(pointer, bytes, cudaHostAllocMapped), e))
		return -1;
	memset(*pointer, 0, bytes);
	return 0;
}

void cuda_take(struct engine_context *context, const uint8_t *pixels, const float *ink, int n)
{
	size_t count = (size_t)n * LENET5_PIXELS;
	if (pixels && pixels != context->pixels)
		memcpy(context->pixels, pixels, count);
	if (!pixels && ink != context->ink)
		memcpy(context->ink, ink, count * sizeof *ink);
}

int cuda_upload(struct engine *engine, void *to, const void *from, size_t bytes, struct err *e)
{
	cudaStream_t stream;
	if (CUDA(engine, cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), e))
		return -1;
	int status = CUDA(engine, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream), e) ||
		     CUDA(engine, cudaStreamSynchronize(stream), e);
	cudaStreamDestroy(stream);
	return status ? -1 : 0;
}

int cuda_buffer_fill(struct engine *engine, struct cuda_buffer *b, const void *from, size_t bytes, cudaStream_t stream,
		     struct err *e)
{
	if (bytes > b->bytes) {
		cudaFree(b->at);
		*b = (struct cuda_buffer){ NULL, 0 };
		if (cuda_alloc(engine, bytes, &b->at, e))
			return -1;
		b->bytes = bytes;
	}
	return from ? CUDA(engine, cudaMemcpyAsync(b->at, from, bytes, cudaMemcpyHostToDevice, stream), e) : 0;
}

int cuda_capture(struct engine *engine, cudaStream_t stream, int (*put)(void *context, struct err *e), void *context,
		 cudaGraphExec_t *exec, struct err *e)
{
	cudaGraph_t graph = NULL;
	struct err end;
	if (CUDA(engine, cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), e))
		return -1;
	int failed = put(context, e);
	// the capture ends whatever happened in it
	if (CUDA(engine, cudaStreamEndCapture(stream, &graph), failed ? &end : e))
		failed = -1;
	if (!failed)
		failed = CUDA(engine, cudaGraphInstantiate(exec, graph, 0), e);
	if (graph)
		cudaGraphDestroy(graph);
	return failed;
}

static void model_free(struct engine_model *model)
{
	struct model *m = (struct model *)model;
	cuda_enter_to_free(model->engine);
	cudaFree((void *)m->network.params);
	free(m);
}

static int model_new(struct engine *engine, const struct engine_network *n, struct engine_model **out, struct err *e)
{
	void *params = NULL;
	struct cuda_params *packed = malloc(sizeof *packed);
	struct model *m = malloc(sizeof *m);
	if (!packed || !m) {
		err_set(e, "no memory for a model");
		goto failed;
	}
	cuda_pack(n->net, n->params, packed);
	if (cuda_enter(engine, e) || cuda_alloc(engine, sizeof *packed, &params, e) ||
	    cuda_upload(engine, params, packed, sizeof *packed, e))
		goto failed;
	*m = (struct model){ { engine, 1, n->net }, cuda_network_of(n, params) };
	*out = &m->base;
	free(packed);
	return 0;
failed:
	if (params)
		cudaFree(params);
	free(packed);
	free(m);
	return -1;
}

static void context_close(struct engine_context *context)
{
	struct context *c = (struct context *)context;
	cuda_enter_to_free(context->engine);
	if (c->stream)
		cudaStreamDestroy(c->stream);
	cudaFreeHost(c->base.ink);
	cudaFreeHost(c->scores);
	cudaFreeHost(c->trace);
	cudaFreeHost(c->finished);
	cudaFreeHost(c->stamped);
	cudaFree(c->n_ended);
	free(c);
}

static int context_open(struct engine *engine, int max_batch, int n_threads, struct engine_context **out, struct err *e)
{
	(void)n_threads; // the device has its own
	size_t n = (size_t)max_batch;
	struct context *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(e, "no memory for a context");
	c->base.engine = engine;
	c->base.max_batch = max_batch;
	if (cuda_enter(engine, e) || CUDA(engine, cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking), e) ||
	    cuda_alloc_pinned(engine, n * LENET5_PIXELS * sizeof(float), (void **)&c->base.ink, e) ||
	    cuda_alloc_pinned(engine, n * LENET5_DIGITS * sizeof(float), (void **)&c->scores, e) ||
	    cuda_alloc_pinned(engine, sizeof *c->trace, (void **)&c->trace, e) ||
	    cuda_alloc_pinned(engine, sizeof *c->finished, (void **)&c->finished, e) ||
	    cuda_alloc_pinned(engine, LENET5_DIGITS * sizeof *c->stamped, (void **)&c->stamped, e) ||
	    cuda_alloc(engine, sizeof *c->n_ended, (void **)&c->n_ended, e) ||
	    CUDA(engine, cudaMemsetAsync(c->n_ended, 0, sizeof *c->n_ended, c->stream), e) ||
	    CUDA(engine, cudaStreamSynchronize(c->stream), e)) {
		context_close(&c->base);
		return -1;
	}
	c->base.pixels = (uint8_t *)c->base.ink;
	*out = &c->base;
	return 0;
}

// Whether the kernel has written the ticket wherever it does so last.
static bool is_done(const struct context *c, const struct cuda_forward *pass)
{
	if (!pass->stamped)
		return __atomic_load_n(c->finished, __ATOMIC_ACQUIRE) == c->ticket;
	for (int i = 0; i < LENET5_DIGITS; i++)
		if (__atomic_load_n(&c->stamped[i], __ATOMIC_ACQUIRE) >> 32 != c->ticket)
			return false;
	return true;
}

// Asking the driver takes longer than the kernel runs, so only every 4096th turn asks whether an error occurred.
static int await(struct context *c, const struct cuda_forward *pass, struct err *e)
{
	for (unsigned spins = 1; !is_done(c, pass); spins++) {
		cudaError_t error = spins % 4096 ? cudaSuccess : cudaStreamQuery(c->stream);
		if (error != cudaErrorNotReady && CUDA(c->base.engine, error, e))
			return -1;
	}
	for (int i = 0; pass->stamped && i < LENET5_DIGITS; i++) {
		uint32_t bits = (uint32_t)c->stamped[i];
		memcpy(&c->scores[i], &bits, sizeof bits);
	}
	return 0;
}

// Computes n pictures from their pixels, or, where that is NULL, from their ink.
static int compute(struct context *c, const struct engine_model *model, const uint8_t *pixels, const float *ink, int n,
		   struct engine_trace *trace, struct err *e)
{
	struct engine *engine = c->base.engine;
	cuda_take(&c->base, pixels, ink, n);
	const struct cuda_forward pass = { ((const struct model *)model)->network,
					   pixels ? c->base.pixels : NULL,
					   c->base.ink,
					   c->scores,
					   n,
					   trace,
					   c->n_ended,
					   c->finished,
					   ++c->ticket,
					   n == 1 && !trace ? c->stamped : NULL };
	int pictures_a_block = cuda_pictures_a_block(n, cuda(engine)->n_multiprocessors);
	if (cuda_enter(engine, e) || CUDA(engine, cuda_forward_launch(&pass, pictures_a_block, c->stream), e))
		return -1;
	return await(c, &pass, e);
}

static int forward(struct engine_context *context, const struct engine_model *model, const uint8_t *pixels, const float *ink, int n,
		   float *scores, struct err *e)
{
	struct context *c = (struct context *)context;
	if (compute(c, model, pixels, ink, n, NULL, e))
		return -1;
	memcpy(scores, c->scores, (size_t)n * LENET5_DIGITS * sizeof *scores);
	return 0;
}

static int trace(struct engine_context *context, const struct engine_model *model, const float *ink, struct engine_trace *out,
		 struct err *e)
{
	struct context *c = (struct context *)context;
	if (compute(c, model, NULL, ink, 1, c->trace, e))
		return -1;
	*out = *c->trace;
	return 0;
}

double cuda_engine_peak(struct engine *engine, int n_threads)
{
	(void)n_threads;
	struct err e;
	cudaStream_t stream;
	double flops = 0;
	if (cuda_enter(engine, &e) || CUDA(engine, cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), &e))
		return 0;
	if (CUDA(engine, cuda_peak(cuda(engine)->n_multiprocessors, stream, &flops), &e))
		flops = 0;
	cudaStreamDestroy(stream);
	return flops;
}

static void engine_free(struct engine *engine)
{
	free(engine);
}

// Says why no device can be used.
static int no_device(cudaError_t error, struct err *e)
{
	int driver = 0, runtime = 0;
	cudaGetLastError();
	cudaDriverGetVersion(&driver);
	cudaRuntimeGetVersion(&runtime);
	if (error == cudaErrorNoDevice)
		return err_set(e, "the NVIDIA driver sees no GPU");
	if (error == cudaErrorInsufficientDriver && driver == 0)
		return err_set(e, "no NVIDIA driver is installed here");
	if (error == cudaErrorInsufficientDriver)
		return err_set(e, "the NVIDIA driver is too old: it knows CUDA %d.%d, and %d.%d is needed", driver / 1000,
			       driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
	return err_set(e, "CUDA does not start: %s", cudaGetErrorString(error));
}

static int find_device(struct cuda_engine *c, struct err *e)
{
	int n = 0, major, minor;
	struct cudaDeviceProp properties;
	cudaError_t error = cudaGetDeviceCount(&n);
	if (error)
		return no_device(error, e);
	if (c->device >= n)
		return err_set(e, n == 1 ? "there is one GPU, cuda:0" : "there are %d GPUs, cuda:0 to cuda:%d", n, n - 1);
	struct engine *engine = &c->base;
	if (CUDA(engine, cudaGetDeviceProperties(&properties, c->device), e) ||
	    CUDA(engine, cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, c->device), e) ||
	    CUDA(engine, cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, c->device), e) ||
	    CUDA(engine, cudaDeviceGetAttribute(&c->n_multiprocessors, cudaDevAttrMultiProcessorCount, c->device), e))
		return -1;
	if (major * 10 + minor < 75)
		return err_set(e, "%.40s has compute capability %d.%d, and 7.5 is needed", properties.name, major, minor);
	snprintf(engine->name, sizeof engine->name, "cuda (%.40s)", properties.name);
	return cuda_enter(engine, e) || CUDA(engine, cuda_forward_prepare(), e) || CUDA(engine, cuda_train_prepare(), e) ||
			       CUDA(engine, cuda_1998_prepare(), e)
		       ? -1
		       : 0;
}

int cuda_engine_open(int device, struct engine **engine, struct err *e)
{
	static const struct engine_ops ops = {
		.close = engine_free,
		.model_new = model_new,
		.model_free = model_free,
		.context_open = context_open,
		.context_close = context_close,
		.forward = forward,
		.trace = trace,
		.trainer_open = cuda_trainer_open,
		.trainer_close = cuda_trainer_close,
		.trainer_data = cuda_trainer_data,
		.trainer_steps = cuda_trainer_steps,
		.trainer_read = cuda_trainer_read,
		.peak = cuda_engine_peak,
	};
	struct cuda_engine *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(e, "no memory for an engine");
	c->base.ops = &ops;
	c->base.kernels = "own";
	c->device = device;
	snprintf(c->base.name, sizeof c->base.name, "cuda");
	if (find_device(c, e)) {
		free(c);
		return -1;
	}
	*engine = &c->base;
	return 0;
}
