// Binary data is written to a separate text first, since the JSON in front of it states its size. It is little-endian, as all supported
// machines are.
#include "server/routes/oip_response.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void values_of(const struct lenet5 *net, float temperature, enum oip_output output, const float *scores,
		      float values[LENET5_DIGITS])
{
	if (output == OIP_PROBABILITIES)
		memcpy(values, lenet5_predict(net, temperature, scores).probabilities, LENET5_DIGITS * sizeof *values);
	else
		for (int d = 0; d < LENET5_DIGITS; d++)
			values[d] = net->output == LENET5_PENALTIES ? 0 - scores[d] : scores[d];
}

// Writes one picture's values into the JSON or the binary data.
static void write_values(const struct oip_wanted *wanted, const float values[LENET5_DIGITS], bool first, struct text *json,
			 struct text *binary)
{
	if (wanted->binary) {
		text_append_bytes(binary, values, LENET5_DIGITS * sizeof *values);
		return;
	}
	for (int d = 0; d < LENET5_DIGITS; d++) {
		text_append(json, first && d == 0 ? "" : ", ");
		text_float(json, values[d]);
	}
}

// Writes the highest values, the lower digit first if equal. A binary BYTES element is a length and so many bytes.
static void write_classes(const struct oip_wanted *wanted, const float values[LENET5_DIGITS], bool first, struct text *json,
			  struct text *binary)
{
	bool taken[LENET5_DIGITS] = { false };
	for (int k = 0; k < wanted->n_classes; k++) {
		int best = -1;
		for (int d = 0; d < LENET5_DIGITS; d++)
			if (!taken[d] && (best < 0 || values[d] > values[best]))
				best = d;
		taken[best] = true;
		size_t at = binary->n;
		uint32_t n = 0; // the length, filled in below
		if (wanted->binary)
			text_append_bytes(binary, &n, sizeof n);
		else
			text_append(json, first && k == 0 ? "\"" : ", \"");
		text_float(wanted->binary ? binary : json, values[best]);
		text_printf(wanted->binary ? binary : json, wanted->binary ? ":%d" : ":%d\"", best);
		if (wanted->binary && !binary->failed) {
			n = (uint32_t)(binary->n - at - sizeof n);
			memcpy(binary->bytes + at, &n, sizeof n);
		}
	}
}

static void write_output(const struct lenet5 *net, float temperature, const struct oip_request *request,
			 const struct oip_wanted *wanted, const float *scores, struct text *json, struct text *binary)
{
	size_t before = binary->n;
	text_printf(json, "{\"name\": \"%s\", \"datatype\": \"%s\", \"shape\": [%d, %d], ", oip_output_names[wanted->output],
		    wanted->n_classes ? "BYTES" : "FP32", request->n, wanted->n_classes ? wanted->n_classes : LENET5_DIGITS);
	if (!wanted->binary)
		text_append(json, "\"data\": [");
	for (int i = 0; i < request->n; i++) {
		float values[LENET5_DIGITS];
		values_of(net, temperature, wanted->output, scores + i * LENET5_DIGITS, values);
		(wanted->n_classes ? write_classes : write_values)(wanted, values, i == 0, json, binary);
	}
	if (wanted->binary)
		text_printf(json, "\"parameters\": {\"binary_data_size\": %zu}}", binary->n - before);
	else
		text_append(json, "]}");
}

size_t oip_response_write(const char *model, const struct lenet5 *net, float temperature, const struct oip_request *request,
			  const float *scores, struct text *body)
{
	struct text binary = { 0 };
	text_printf(body, "{\"model_name\": \"%s\", \"model_version\": \"" OIP_VERSION "\", ", model);
	if (request->id) {
		text_append(body, "\"id\": ");
		text_quote(body, request->id);
		text_append(body, ", ");
	}
	text_append(body, "\"outputs\": [");
	for (int i = 0; i < request->n_wanted; i++) {
		text_append(body, i ? ", " : "");
		write_output(net, temperature, request, &request->wanted[i], scores, body, &binary);
	}
	text_append(body, "]}\n");
	size_t n_json = body->n, n_binary;
	body->failed |= binary.failed;
	char *bytes = text_take(&binary, &n_binary);
	if (bytes)
		text_append_bytes(body, bytes, n_binary);
	free(bytes);
	return n_binary ? n_json : 0;
}
