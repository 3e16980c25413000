// A multipart body: the first line is the Content-Type. Parts have to lie inside the body, in order, and not overlap.
#include "server/routes/multipart.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const uint8_t *line_end = memchr(bytes, '\n', n);
	if (!line_end)
		return 0;
	char *type = strndup((const char *)bytes, (size_t)(line_end - bytes));
	const uint8_t *body = line_end + 1;
	size_t n_body = n - (size_t)(body - bytes);
	struct multipart m;
	struct multipart_part part;
	struct err e;
	if (type && multipart_init(&m, type, body, n_body, &e) == 0) {
		const uint8_t *at = body;
		while (multipart_next(&m, &part, &e) > 0) {
			const uint8_t *first = part.bytes;
			if (first < at || first > body + n_body || part.n > (size_t)(body + n_body - first))
				abort();
			at = first + part.n;
		}
	}
	free(type);
	return 0;
}
