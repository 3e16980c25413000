// The real cuDNN, where it is installed, and no GPU: it plans for a device that is only described to it. So its own checks
// see every descriptor that we make, and its own heuristics and engines' notes show that each convolution of the network
// has an engine that is deterministic and computes in plain FP32, for the batches that we ask of it, on the architectures
// that we build for. What is planned is not run here.
#include "core/lenet5.h"
#include "kernels/cudnn/cudnn.h"
#include "tests/unit/test.h"

#include <stdio.h>

// What differs between architectures (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability"); the
// number of multiprocessors is a card's of each.
static const struct {
	int version, multiprocessors, threads, blocks, shared_kib;
} devices[] = {
	{ 750, 40, 1024, 16, 64 },  { 800, 108, 2048, 32, 163 }, { 860, 84, 1536, 16, 99 },
	{ 890, 142, 1536, 24, 99 }, { 900, 132, 2048, 32, 227 },
};
enum { N_DEVICES = sizeof devices / sizeof devices[0] };

static const struct {
	enum lenet5_layer in, out;
} convs[] = {
	{ LENET5_INPUT, LENET5_C1 }, { LENET5_S2, LENET5_C3 },     { LENET5_S4, LENET5_C5 },
	{ LENET5_C5, LENET5_F6 },    { LENET5_F6, LENET5_OUTPUT },
};

static void describe(int i, char *json, size_t size)
{
	snprintf(json, size,
		 "{\"deviceName\": \"described\", \"cudaDeviceId\": 0, \"deviceVer\": %d, \"driverVer\": 13000, "
		 "\"maxGridSize\": [2147483647, 65535, 65535], \"maxBlockSize\": [1024, 1024, 64], \"regsPerBlock\": 65536, "
		 "\"multiProcessorCount\": %d, \"warpSize\": 32, \"maxSharedMemoryPerBlock\": 49152, "
		 "\"maxSharedMemoryPerBlockOptin\": %d, \"reservedSharedMemoryPerBlock\": 1024, \"maxRegistersPerSM\": 65536, "
		 "\"maxCtasPerSM\": %d, \"maxThreadsPerBlock\": 1024, \"maxThreadsPerSM\": %d, \"pciDeviceId\": 0, "
		 "\"isTccDriver\": 0, \"supportCoopLaunch\": 1, \"smClockRateKHz\": 1500000, \"memClockRateKHz\": 1500000, "
		 "\"l2CacheSize\": 41943040, \"totalGlobalMem\": 17179869184}",
		 devices[i].version, devices[i].multiprocessors, devices[i].shared_kib * 1024, devices[i].blocks,
		 devices[i].threads);
}

// Every convolution of a training step of n pictures; how many there were.
static int plan_step(const struct cudnn_session *session, int n, const char *what)
{
	int n_plans = 0;
	for (int i = 0; i < 5; i++)
		for (int d = CUDNN_CONV_FORWARD; d <= CUDNN_CONV_FILTER; d++) {
			const struct lenet5_shape *in = &lenet5_shapes[convs[i].in], *out = &lenet5_shapes[convs[i].out];
			const struct cudnn_shape shape = { n, in->maps, in->height, out->maps, out->height };
			struct cudnn_conv conv;
			struct err e;
			int failed = cudnn_conv_plan(session, d, &shape, 1, &conv, &e);
			CHECK_MSG(!failed, "%s: %s", what, e.msg);
			if (failed)
				continue;
			cudnn_conv_free(session, &conv);
			n_plans++;
		}
	return n_plans;
}

// The convolutions of a forward pass, each by one configuration for a context's passes of all sizes.
static int plan_context(const struct cudnn_session *session, int max_batch, const char *what)
{
	int n_plans = 0;
	for (int i = 0; i < 5; i++) {
		const struct lenet5_shape *in = &lenet5_shapes[convs[i].in], *out = &lenet5_shapes[convs[i].out];
		struct cudnn_shape shapes[CUDNN_MAX_SHAPES] = { { 0 } };
		struct cudnn_conv planned[CUDNN_MAX_SHAPES];
		struct err e;
		int n = 0;
		for (int batch = max_batch; batch; batch /= 2)
			shapes[n++] = (struct cudnn_shape){ batch, in->maps, in->height, out->maps, out->height };
		int failed = cudnn_conv_plan(session, CUDNN_CONV_FORWARD, shapes, n, planned, &e);
		CHECK_MSG(!failed, "%s: %s", what, e.msg);
		for (int k = 0; k < n && !failed; k++) {
			CHECK(planned[k].engine == planned[0].engine);
			cudnn_conv_free(session, &planned[k]);
			n_plans++;
		}
	}
	return n_plans;
}

static void plan_on_all(bool tf32)
{
	static const int batches[] = { 1, 2, 16, 32, 64, 96, 256, 1024 };
	struct cudnn *cudnn;
	struct err e;
	int n_plans = 0;
	if (cudnn_open(tf32, &cudnn, &e)) {
		test_skip("%s", e.msg);
		return;
	}
	for (int i = 0; i < N_DEVICES; i++) {
		char json[1024], what[64];
		struct cudnn_session session;
		describe(i, json, sizeof json);
		if (cudnn_session_open_for(cudnn, json, &session, &e)) {
			test_skip("plans without a device want cuDNN 9.8: %s", e.msg);
			break;
		}
		snprintf(what, sizeof what, "sm_%d%s", devices[i].version / 10, tf32 ? ", TF32" : "");
		for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++)
			n_plans += plan_step(&session, batches[b], what);
		n_plans += plan_context(&session, 64, what) + plan_context(&session, 4096, what);
		cudnn_session_close(&session);
	}
	test_figure("cuDNN %s, %s: %d plans", cudnn->version, tf32 ? "TF32 allowed" : "plain FP32", n_plans);
	cudnn_close(cudnn);
}

TEST(cudnn_plans_in_plain_fp32)
{
	plan_on_all(false);
}

TEST(cudnn_plans_with_tf32)
{
	plan_on_all(true);
}

TEST(cudnn_plans_nothing_that_does_not_fit)
{
	const struct cudnn_shape shape = { 1, 6, 14, 16, 15 }; // a filter of no size
	struct cudnn *cudnn;
	struct cudnn_session session;
	struct cudnn_conv conv;
	struct err e;
	char json[1024];
	describe(0, json, sizeof json);
	if (cudnn_open(false, &cudnn, &e)) {
		test_skip("%s", e.msg);
		return;
	}
	if (cudnn_session_open_for(cudnn, json, &session, &e) == 0) {
		CHECK(cudnn_conv_plan(&session, CUDNN_CONV_FORWARD, &shape, 1, &conv, &e) == -1);
		cudnn_session_close(&session);
	} else {
		test_skip("plans without a device want cuDNN 9.8: %s", e.msg);
	}
	CHECK(cudnn_session_open_for(cudnn, "{}", &session, &e) == -1);
	cudnn_close(cudnn);
}
