// A model file. What parses must be finite and must parse again to the same after it was written.
#include "core/weights.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char *const networks[] = { NULL, "relu" };
	for (int i = 0; i < 2; i++) {
		struct weights w = { 0 };
		struct err e = { .msg = "" };
		if (weights_parse(bytes, n, networks[i], &w, &e)) {
			if (e.msg[0] == '\0' || w.params)
				abort();
			continue;
		}
		if (!isfinite(w.mean) || !(w.std > 0))
			abort();
		for (size_t p = 0; p < w.net->n_params; p++)
			if (!isfinite(w.params[p]) || (w.momentum && !isfinite(w.momentum[p])))
				abort();
		weights_free(&w);
	}
	return 0;
}
