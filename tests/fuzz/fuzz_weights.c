// A model file, as it is and filled up with zeros to the size of a whole one of each network, so that the corpus can be small.
// What parses must be finite.
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
		if (!isfinite(w.params[p]) || (w.momentum && !isfinite(w.momentum[p])) ||
		    (w.curvature && !isfinite(w.curvature[p])))
			abort();
	weights_free(&w);
}

static void parse_filled(const uint8_t *bytes, size_t n, const struct lenet5 *net)
{
	size_t whole = 8 + (size_t)(bytes[0] | bytes[1] << 8) + 4 * net->n_params;
	if (whole <= n)
		return;
	uint8_t *filled = calloc(1, whole);
	memcpy(filled, bytes, n);
	parse(filled, whole, NULL);
	free(filled);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	enum { MAX_HEADER = 65536 };
	parse(bytes, n, NULL);
	parse(bytes, n, "relu");
	parse(bytes, n, "1998");
	for (int k = 1; n >= 8 && n <= MAX_HEADER && lenet5_at(k); k++) // 0 has the tensors of 1
		parse_filled(bytes, n, lenet5_at(k));
	return 0;
}
