// A model file, as it is and filled up with zeros to the size of a whole one, so that the corpus can be small. What parses
// must be finite.
#include "core/weights.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void parse(const uint8_t *bytes, size_t n, const char *network)
{
	struct weights w = { 0 };
	struct err e = { .msg = "" };
	if (weights_parse(bytes, n, network, &w, &e)) {
		if (e.msg[0] == '\0' || w.params || w.n_meta)
			abort();
		return;
	}
	if (!isfinite(w.mean) || !(w.std > 0))
		abort();
	for (size_t p = 0; p < w.net->n_params; p++)
		if (!isfinite(w.params[p]) || (w.momentum && !isfinite(w.momentum[p])))
			abort();
	weights_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	enum { MODEL_BYTES = 4 * 61706, MAX_HEADER = 65536 };
	parse(bytes, n, NULL);
	parse(bytes, n, "relu");
	if (n < 8 || n > MAX_HEADER)
		return 0;
	size_t whole = 8 + (size_t)(bytes[0] | bytes[1] << 8) + MODEL_BYTES;
	if (whole <= n)
		return 0;
	uint8_t *filled = calloc(1, whole);
	memcpy(filled, bytes, n);
	parse(filled, whole, NULL);
	free(filled);
	return 0;
}
