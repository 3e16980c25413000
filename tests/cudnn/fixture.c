#include "tests/cudnn/fixture.h"

#include "core/rng.h"
#include "kernels/cuda/cuda.h"
#include "tests/unit/test.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct fake_cudnn *fixture_controls(void)
{
	void *library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_NODELETE);
	struct fake_cudnn *(*get)(void) = NULL;
	void (*reset)(void) = NULL;
	void *symbols[2] = { library ? dlsym(library, "fake_cudnn") : NULL, library ? dlsym(library, "fake_cudnn_reset") : NULL };
	memcpy(&get, &symbols[0], sizeof get);
	memcpy(&reset, &symbols[1], sizeof reset);
	if (!get || !reset) {
		test_skip("libcudnn.so.9 is not the fake: LD_LIBRARY_PATH does not lead to it");
		return NULL;
	}
	reset();
	return get();
}

struct engine *fixture_engine(bool tf32)
{
	struct engine *engine;
	struct err e;
	if (cudnn_engine_open(0, tf32, &engine, &e)) {
		test_fail(__FILE__, __LINE__, "%s", e.msg);
		exit(1);
	}
	return engine;
}

const struct engine_network *fixture_network(int which)
{
	static float params[N_NETWORKS][FIXTURE_N_PARAMS];
	static struct engine_network networks[N_NETWORKS];
	const struct lenet5 *net = lenet5_at(which);
	struct rng rng;
	rng_init(&rng, (uint64_t)which);
	lenet5_init(net, &rng, params[which]);
	for (int i = 0; i < net->n_tensors; i++) // 1998 begins with biases of 0, which would hide a wrong one
		for (size_t k = 0; net->tensors[i].n_dims == 1 && k < net->tensors[i].count; k++)
			params[which][net->tensors[i].offset + k] += rng_uniform(&rng, -0.1f, 0.1f);
	networks[which] = (struct engine_network){ net, net->mean, net->std, params[which] };
	return &networks[which];
}

uint8_t fixture_pixels[FIXTURE_N_DATA * LENET5_PIXELS], fixture_labels[FIXTURE_N_DATA];

void fixture_data(void)
{
	struct rng rng;
	rng_init(&rng, 3);
	for (int i = 0; i < FIXTURE_N_DATA * LENET5_PIXELS; i++)
		fixture_pixels[i] = (uint8_t)rng_next(&rng);
	for (int i = 0; i < FIXTURE_N_DATA; i++)
		fixture_labels[i] = (uint8_t)(i * 7 % 10);
}

void fixture_ink(int first, int n, float *ink)
{
	fixture_data();
	for (int i = 0; i < n * LENET5_PIXELS; i++)
		ink[i] = (float)fixture_pixels[first * LENET5_PIXELS + i] / 255.0f;
}
