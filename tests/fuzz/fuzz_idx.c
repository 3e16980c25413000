// A data set: the first two bytes say where the file of pictures ends and that of labels begins.
#include "core/idx.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct idx data = { 0 };
	struct err e = { .msg = "" };
	if (n < 2)
		return 0;
	size_t cut = (size_t)(bytes[0] << 8 | bytes[1]);
	bytes += 2;
	n -= 2;
	cut = cut < n ? cut : n;
	if (idx_parse(bytes, cut, bytes + cut, n - cut, &data, &e)) {
		if (e.msg[0] == '\0' || data.pixels)
			abort();
		return 0;
	}
	for (uint32_t i = 0; i < data.n; i++)
		if (data.labels[i] > 9)
			abort();
	idx_free(&data);
	return 0;
}
