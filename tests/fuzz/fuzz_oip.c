// A request's body, whole: the first line is its Inference-Header-Content-Length, "-" for none. Whatever comes, there are pictures of
// one kind and finite, each output at most once, or an error that says something; and what was read can be answered.
#include "server/routes/oip_request.h"
#include "server/routes/oip_response.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(int condition)
{
	if (!condition)
		abort();
}

enum { MAX_PICTURES = 8 };

static void check_request(const struct oip_request *r)
{
	static const float scores[8 * LENET5_DIGITS];
	struct text body = { 0 };
	size_t n;
	check(r->n > 0 && r->n <= MAX_PICTURES && !r->ink != !r->pixels);
	for (int i = 0; r->ink && i < r->n * LENET5_PIXELS; i++)
		check(isfinite(r->ink[i]));
	check(r->n_wanted > 0 && r->n_wanted <= OIP_N_OUTPUTS && (r->n_wanted == 1 || r->wanted[0].output != r->wanted[1].output));
	size_t n_json = oip_response_write("m", lenet5_at(0), 1, r, scores, &body);
	char *answer = text_take(&body, &n);
	check(answer && n_json < n && (n_json != 0) == (r->wanted[0].binary || (r->n_wanted > 1 && r->wanted[1].binary)));
	free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const uint8_t *line_end = memchr(bytes, '\n', n);
	if (!line_end)
		return 0;
	size_t n_length = (size_t)(line_end - bytes), n_body = n - n_length - 1;
	char *length = strndup((const char *)bytes, n_length), *body = malloc(n_body + !n_body);
	struct oip_request request = { 0 };
	struct err e = { .msg = "" };
	memcpy(body, line_end + 1, n_body);
	if (oip_request_read(strcmp(length, "-") == 0 ? NULL : length, body, n_body, MAX_PICTURES, &request, &e) == 0)
		check_request(&request);
	else
		check(e.msg[0] && !request.id && !request.ink && !request.pixels);
	oip_request_free(&request);
	free(length);
	free(body);
	return 0;
}
