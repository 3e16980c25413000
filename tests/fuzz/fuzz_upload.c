// A request's body, whole: the first line is the Content-Type. Whatever comes, the counts agree and an error says something.
#include "server/routes/upload.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct limits limits = {
		.max_body = 1 << 20, .max_pictures = 8, .max_pixels = 1 << 16, .max_whole_pixels = 1 << 14, .max_scans = 8
	};
	static const struct upload_terms terms = { .limits = &limits, .n_steps = 1 };
	const uint8_t *line_end = memchr(bytes, '\n', n);
	if (!line_end)
		return 0;
	size_t n_type = (size_t)(line_end - bytes), n_body = n - n_type - 1;
	char *type = strndup((const char *)bytes, n_type), *body = calloc(1, n_body + 1);
	struct upload upload = { 0 };
	struct err e = { .msg = "" };
	if (type && body) {
		memcpy(body, line_end + 1, n_body);
		upload_memory(type, body, n_body, &limits);
		int status = upload_read(type, body, n_body, &terms, &upload, &e);
		int n_candidates = 0;
		for (int i = 0; i < upload.n; i++) {
			const struct upload_picture *p = &upload.pictures[i];
			n_candidates += p->n_candidates;
			if (p->status != 0 && (p->n_candidates > 0 || !p->error.msg[0])) // without candidates it is blank
				abort();
		}
		if (n_candidates != upload.n_candidates || (status == 0) != (upload.n > 0) || (status != 0 && !e.msg[0]))
			abort();
	}
	upload_free(&upload);
	free(type);
	free(body);
	return 0;
}
