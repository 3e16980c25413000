// One thread of this processor is the whole GPU, which runs one block after the other (block.cc). Streams and graphs are lists
// of closures.
#include "tests/emulate/block.h"
#include "tests/emulate/emulate.h"

#include <cassert>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

using work = std::function<cudaError_t()>;
struct CUstream_st {
	std::vector<work> waiting;
	CUgraph_st *capturing;
};
struct CUgraph_st {
	std::vector<work> nodes;
};
struct CUgraphExec_st {
	std::vector<work> nodes;
};
struct CUevent_st {
	std::chrono::steady_clock::time_point time;
};

namespace
{

std::recursive_mutex one_at_a_time; // guards everything below, and the device

const char *failing_function;
int good_calls;
cudaError_t failure, sticky, last_error;
bool failure_passes;
int n_devices = 1;
cudaError_t device_error;
unsigned contexts; // a bit a device
thread_local int current_device;
int n_objects;

// The most dynamic shared memory of a block (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability").
const struct card {
	int major, minor, shared_bytes;
} cards[] = { { 7, 0, 96 << 10 }, { 7, 5, 64 << 10 }, { 8, 0, 163 << 10 },
	      { 8, 6, 99 << 10 }, { 8, 9, 99 << 10 }, { 9, 0, EMULATE_SHARED_BYTES } };
const card *the_card = &cards[1];
enum { SHARED_UNASKED = 48 << 10 }; // what a launch may have of it without cudaFuncSetAttribute
std::map<const void *, int> shared_asked; // bytes, by kernel

cudaError_t fail(cudaError_t error)
{
	return last_error = error;
}

// What every function begins with: an error that was injected, now or before.
cudaError_t enter(const char *function)
{
	if (sticky)
		return fail(sticky);
	if (!failing_function || strcmp(failing_function, function) != 0 || good_calls-- > 0)
		return cudaSuccess;
	if (failure_passes)
		failing_function = nullptr;
	else
		sticky = failure;
	return fail(failure);
}

#define ENTER()                                                                                                                    \
	std::lock_guard<std::recursive_mutex> guard(one_at_a_time);                                                                \
	if (cudaError_t error = enter(__func__))                                                                                   \
	return error

cudaError_t put(cudaStream_t stream, work w)
{
	(stream->capturing ? stream->capturing->nodes : stream->waiting).push_back(std::move(w));
	return cudaSuccess;
}

cudaError_t run_all(cudaStream_t stream)
{
	assert(!stream->capturing);
	std::vector<work> all = std::move(stream->waiting);
	stream->waiting.clear();
	for (const work &w : all)
		if (cudaError_t error = w())
			return fail(error);
	return cudaSuccess;
}

} // namespace

cudaError_t emulate_allow_shared(const void *kernel, int bytes)
{
	std::lock_guard<std::recursive_mutex> guard(one_at_a_time);
	if (cudaError_t error = enter("cudaFuncSetAttribute"))
		return error;
	if (bytes > the_card->shared_bytes)
		return fail(cudaErrorInvalidValue);
	shared_asked[kernel] = bytes;
	return cudaSuccess;
}

cudaError_t emulate_launch(const void *kernel, const std::function<void()> &call, dim3 grid, dim3 block, size_t shared_bytes,
			   cudaStream_t stream)
{
	std::lock_guard<std::recursive_mutex> guard(one_at_a_time);
	if (cudaError_t error = enter("cudaLaunchKernel"))
		return error;
	unsigned n = block.x * block.y * block.z;
	auto asked = shared_asked.find(kernel);
	size_t most = (size_t)std::max<int>(SHARED_UNASKED, asked == shared_asked.end() ? 0 : asked->second);
	if (n == 0 || n > EMULATE_MAX_THREADS || grid.x == 0 || grid.y == 0 || grid.y > 65535 || shared_bytes > most)
		return fail(cudaErrorInvalidValue);
	return put(stream, [=]() -> cudaError_t {
		if (cudaError_t error = enter("kernel"))
			return error;
		blockDim = block;
		gridDim = grid;
		for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++)
			for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
				for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++)
					emulate_block(call, (int)n, shared_bytes);
		return cudaSuccess;
	});
}

extern "C" {

void emulate_failure(const char *function, int good, cudaError_t error)
{
	std::lock_guard<std::recursive_mutex> guard(one_at_a_time);
	failing_function = function;
	good_calls = good;
	failure = error;
	sticky = last_error = cudaSuccess;
	failure_passes = false;
}

void emulate_failure_once(const char *function, int good, cudaError_t error)
{
	std::lock_guard<std::recursive_mutex> guard(one_at_a_time);
	emulate_failure(function, good, error);
	failure_passes = true;
}

void emulate_devices(int n, cudaError_t error)
{
	n_devices = n;
	device_error = error;
	contexts = 0;
}

unsigned emulate_contexts(void)
{
	return contexts;
}

void emulate_card(int major, int minor)
{
	the_card = nullptr;
	for (const card &c : cards)
		if (c.major == major && c.minor == minor)
			the_card = &c;
	assert(the_card);
	shared_asked.clear();
}

int emulate_objects(void)
{
	return n_objects;
}

cudaError_t cudaGetDeviceCount(int *n)
{
	ENTER();
	*n = device_error ? 0 : n_devices;
	return device_error ? fail(device_error) : cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
	ENTER();
	if (device < 0 || device >= n_devices)
		return fail(cudaErrorInvalidDevice);
	current_device = device;
	return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int)
{
	ENTER();
	snprintf(properties->name, sizeof properties->name, "emulated");
	return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int)
{
	ENTER();
	*value = attribute == cudaDevAttrMultiProcessorCount            ? 4
		 : attribute == cudaDevAttrMaxSharedMemoryPerBlockOptin ? the_card->shared_bytes
		 : attribute == cudaDevAttrComputeCapabilityMajor       ? the_card->major
		 : attribute == cudaDevAttrComputeCapabilityMinor       ? the_card->minor
									: 1000000;
	return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void)
{
	ENTER();
	return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
	*version = n_devices ? 13000 : 0;
	return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
	*version = 13000;
	return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
	cudaError_t error = last_error;
	last_error = sticky;
	return error;
}

cudaError_t cudaPeekAtLastError(void)
{
	return last_error;
}

const char *cudaGetErrorName(cudaError_t error)
{
	return error == cudaSuccess ? "cudaSuccess" : "cudaErrorEmulated";
}

const char *cudaGetErrorString(cudaError_t error)
{
	static char text[32];
	snprintf(text, sizeof text, "emulated error %d", (int)error);
	return text;
}

static cudaError_t allocate(void **pointer, size_t bytes)
{
	contexts |= 1u << current_device;
	*pointer = aligned_alloc(256, (bytes + 255) / 256 * 256);
	if (!*pointer)
		return fail(cudaErrorMemoryAllocation);
	memset(*pointer, 0xff, bytes);
	n_objects++;
	return cudaSuccess;
}

static cudaError_t release(void *pointer)
{
	std::lock_guard<std::recursive_mutex> guard(one_at_a_time);
	contexts |= 1u << current_device;
	n_objects -= pointer != nullptr;
	free(pointer);
	return sticky;
}

cudaError_t cudaMalloc(void **pointer, size_t bytes)
{
	ENTER();
	return allocate(pointer, bytes);
}

cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned)
{
	ENTER();
	return allocate(pointer, bytes);
}

cudaError_t cudaFree(void *pointer)
{
	return release(pointer);
}

cudaError_t cudaFreeHost(void *pointer)
{
	return release(pointer);
}

cudaError_t cudaHostGetDevicePointer(void **device, void *host, unsigned)
{
	ENTER();
	*device = host;
	return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
	ENTER();
	*free_bytes = *total_bytes = (size_t)1 << 30;
	return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind, cudaStream_t stream)
{
	ENTER();
	return put(stream, [=] { return memcpy(to, from, bytes), cudaSuccess; });
}

cudaError_t cudaMemsetAsync(void *to, int byte, size_t bytes, cudaStream_t stream)
{
	ENTER();
	return put(stream, [=] { return memset(to, byte, bytes), cudaSuccess; });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
	ENTER();
	contexts |= 1u << current_device;
	*stream = new CUstream_st();
	n_objects++;
	return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
	delete stream;
	n_objects--;
	return sticky;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
	ENTER();
	return run_all(stream);
}

cudaError_t cudaStreamQuery(cudaStream_t stream)
{
	ENTER();
	return run_all(stream);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode)
{
	ENTER();
	if (stream->capturing)
		return fail(cudaErrorInvalidValue);
	stream->capturing = new CUgraph_st();
	n_objects++;
	return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
	std::lock_guard<std::recursive_mutex> guard(one_at_a_time);
	*graph = stream->capturing;
	stream->capturing = nullptr;
	return *graph ? enter(__func__) : fail(cudaErrorInvalidValue);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long)
{
	ENTER();
	*executable = new CUgraphExec_st{ graph->nodes };
	n_objects++;
	return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream)
{
	ENTER();
	for (const work &w : executable->nodes)
		put(stream, w);
	return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
	delete graph;
	n_objects--;
	return sticky;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable)
{
	delete executable;
	n_objects--;
	return sticky;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *data)
{
	ENTER();
	return put(stream, [=] { return function(data), cudaSuccess; });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
	ENTER();
	*event = new CUevent_st();
	n_objects++;
	return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
	delete event;
	n_objects--;
	return sticky;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
	ENTER();
	return put(stream, [=] { return event->time = std::chrono::steady_clock::now(), cudaSuccess; });
}

cudaError_t cudaEventSynchronize(cudaEvent_t)
{
	ENTER();
	return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
	ENTER();
	*milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
	return cudaSuccess;
}

} // extern "C"
