// A message begins with the field's path in the JSON, so that a person finds its place in a program's request. Functions return 0, or
// the status and a message for the sender.
#include "server/routes/oip_request.h"

#include "server/routes/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 28, N_PIXELS = SIDE * SIDE, MAX_DIMS = 4 };

const char *const oip_output_names[OIP_N_OUTPUTS] = { [OIP_LOGITS] = "logits", [OIP_PROBABILITIES] = "probabilities" };

// The models' only input, as the request describes it.
struct input {
	bool is_bytes; // UINT8, otherwise FP32
	int n_dims, shape[MAX_DIMS];
	const cJSON *data; // or
	const uint8_t *binary; // n_binary bytes
	size_t n_binary;
};

void oip_request_free(struct oip_request *request)
{
	free(request->id);
	free(request->ink);
	free(request->pixels);
	*request = (struct oip_request){ 0 };
}

// null counts as missing: some clients write every field that they know.
static const cJSON *member(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
	return cJSON_IsNull(item) ? NULL : item;
}

static int no_memory(struct err *e)
{
	return err_status(e, 500, "no memory for the request; try again later");
}

static int too_many(int max_pictures, struct err *e)
{
	return err_status(e, 400, "inputs[0].shape: more than %d pictures in one request; send the rest in another", max_pictures);
}

// Room for n pictures.
static int allocate(struct oip_request *r, int n, bool is_bytes, struct err *e)
{
	r->n = n;
	if (is_bytes)
		r->pixels = malloc((size_t)n * N_PIXELS);
	else
		r->ink = malloc((size_t)n * N_PIXELS * sizeof *r->ink);
	return r->pixels || r->ink ? 0 : no_memory(e);
}

// *parameters: the object, or NULL.
static int read_parameters(const cJSON *object, const char *where, const cJSON **parameters, struct err *e)
{
	*parameters = member(object, "parameters");
	if (*parameters && !cJSON_IsObject(*parameters))
		return err_status(e, 400, "%sparameters: must be an object", where);
	if (member(*parameters, "shared_memory_region"))
		return err_status(e, 400,
				  "%sparameters.shared_memory_region: shared memory is not supported; send the data in the body",
				  where);
	return 0;
}

// Keeps *value if the parameter is missing.
static int read_bool(const cJSON *parameters, const char *where, const char *name, bool *value, struct err *e)
{
	const cJSON *item = member(parameters, name);
	if (item && !cJSON_IsBool(item))
		return err_status(e, 400, "%sparameters.%s: must be true or false", where, name);
	if (item)
		*value = cJSON_IsTrue(item);
	return 0;
}

// A whole number from 0 to max, or -1.
static int whole_number(const cJSON *item, int max)
{
	double v = cJSON_GetNumberValue(item); // NaN if it is none
	return v >= 0 && v <= max && v == floor(v) ? (int)v : -1;
}

static int read_wanted(const cJSON *item, int i, bool binary, struct oip_request *r, struct err *e)
{
	char where[32];
	const cJSON *parameters;
	snprintf(where, sizeof where, "outputs[%d].", i);
	const char *name = cJSON_GetStringValue(member(item, "name"));
	if (!name)
		return err_status(e, 400, "%sname: must be \"logits\" or \"probabilities\"", where);
	struct oip_wanted wanted = { .output = OIP_N_OUTPUTS, .binary = binary };
	for (int k = 0; k < OIP_N_OUTPUTS; k++)
		if (strcmp(name, oip_output_names[k]) == 0)
			wanted.output = (enum oip_output)k;
	if (wanted.output == OIP_N_OUTPUTS)
		return err_status(e, 400, "%sname: there is no output \"%.40s\"; there are \"logits\" and \"probabilities\"", where,
				  name);
	for (int k = 0; k < r->n_wanted; k++)
		if (r->wanted[k].output == wanted.output)
			return err_status(e, 400, "%sname: \"%s\" is asked for twice", where, name);
	int status = read_parameters(item, where, &parameters, e);
	if (status || (status = read_bool(parameters, where, "binary_data", &wanted.binary, e)))
		return status;
	const cJSON *classes = member(parameters, "classification");
	int n = classes ? whole_number(classes, INT32_MAX) : 0;
	if (n < 0)
		return err_status(e, 400, "%sparameters.classification: must be a whole number, how many of the ten digits", where);
	wanted.n_classes = n < 10 ? n : 10;
	r->wanted[r->n_wanted++] = wanted;
	return 0;
}

static int read_outputs(const cJSON *root, struct oip_request *r, struct err *e)
{
	const cJSON *parameters, *item, *outputs = member(root, "outputs");
	bool binary = false;
	int i = 0, status = read_parameters(root, "", &parameters, e);
	if (status || (status = read_bool(parameters, "", "binary_data_output", &binary, e)))
		return status;
	if (outputs && !cJSON_IsArray(outputs))
		return err_status(e, 400, "outputs: must be an array");
	cJSON_ArrayForEach(item, outputs)
	{
		if ((status = read_wanted(item, i++, binary, r, e)))
			return status;
	}
	if (r->n_wanted == 0)
		for (int k = 0; k < OIP_N_OUTPUTS; k++)
			r->wanted[r->n_wanted++] = (struct oip_wanted){ .output = (enum oip_output)k, .binary = binary };
	return 0;
}

static int read_shape(const cJSON *input, int max_pictures, struct input *in, struct err *e)
{
	static const struct {
		int n_dims, shape[MAX_DIMS];
	} accepted[] = { { 4, { 0, 1, SIDE, SIDE } }, { 3, { 0, SIDE, SIDE } }, { 2, { 0, N_PIXELS } } };
	const cJSON *dim, *shape = member(input, "shape");
	bool ok = cJSON_IsArray(shape);
	in->n_dims = 0;
	cJSON_ArrayForEach(dim, shape)
	{
		if (in->n_dims == MAX_DIMS || !cJSON_IsNumber(dim)) {
			ok = false;
			break;
		}
		in->shape[in->n_dims++] = whole_number(dim, INT32_MAX);
	}
	const int *want = NULL;
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
		if (accepted[i].n_dims == in->n_dims)
			want = accepted[i].shape;
	for (int i = 1; i < in->n_dims && want; i++)
		ok = ok && in->shape[i] == want[i];
	if (!ok || !want || in->shape[0] < 1)
		return err_status(e, 400, "inputs[0].shape: must be [n,1,28,28], [n,28,28] or [n,784], n at least 1");
	return in->shape[0] > max_pictures ? too_many(max_pictures, e) : 0;
}

static int read_datatype(const cJSON *input, struct input *in, struct err *e)
{
	const char *datatype = cJSON_GetStringValue(member(input, "datatype"));
	in->is_bytes = datatype && strcmp(datatype, "UINT8") == 0;
	if (!in->is_bytes && (!datatype || strcmp(datatype, "FP32") != 0))
		return err_status(e, 400,
				  "inputs[0].datatype: must be \"FP32\" (0 ground to 1 ink) or \"UINT8\" (0 to 255), not \"%.20s\"",
				  datatype ? datatype : "");
	return 0;
}

// Finds the data: in the JSON, or all n bytes behind it.
static int read_place(const cJSON *input, const uint8_t *binary, size_t n, struct input *in, struct err *e)
{
	const cJSON *parameters;
	int status = read_parameters(input, "inputs[0].", &parameters, e);
	if (status)
		return status;
	const cJSON *size = member(parameters, "binary_data_size");
	in->data = member(input, "data");
	if (size && in->data)
		return err_status(e, 400, "inputs[0]: has both \"data\" and binary_data_size; send it once");
	if (size && (whole_number(size, INT32_MAX) < 0 || (size_t)whole_number(size, INT32_MAX) != n))
		return err_status(e, 400,
				  "inputs[0].parameters.binary_data_size: must be the size of the data behind the JSON, %zu bytes; "
				  "Inference-Header-Content-Length says where the JSON ends",
				  n);
	if (!size && !in->data)
		return err_status(e, 400, "inputs[0].data: is missing; send it, or binary_data_size and the data behind the JSON");
	if (!size && n)
		return err_status(e, 400, "%zu bytes follow the JSON; say which input they are by its binary_data_size", n);
	in->binary = size ? binary : NULL;
	in->n_binary = n;
	return 0;
}

// Larger values make sums overflow, and a network's scores for infinity or NaN look like an answer.
#define NO_INK "no number from -1e6 to 1e6; ink goes from 0, the ground, to 1"
static bool is_ink(float value)
{
	return fabsf(value) <= 1e6f;
}

static int read_binary(const struct input *in, struct oip_request *r, struct err *e)
{
	size_t n = (size_t)in->shape[0] * N_PIXELS, want = in->is_bytes ? n : n * sizeof(float);
	if (in->n_binary != want)
		return err_status(e, 400, "inputs[0]: a tensor of that shape has %zu bytes, and %zu were sent", want, in->n_binary);
	int status = allocate(r, in->shape[0], in->is_bytes, e);
	if (status)
		return status;
	memcpy(in->is_bytes ? (void *)r->pixels : r->ink, in->binary, want);
	for (size_t i = 0; i < n && !in->is_bytes; i++)
		if (!is_ink(r->ink[i]))
			return err_status(e, 400, "input \"input\": element %zu is " NO_INK, i);
	return 0;
}

static int read_element(const struct input *in, const cJSON *item, size_t at, struct oip_request *r, struct err *e)
{
	if (!cJSON_IsNumber(item))
		return err_status(e, 400, "inputs[0].data: element %zu is not a number", at);
	if (in->is_bytes) {
		int value = whole_number(item, 255);
		if (value < 0)
			return err_status(e, 400, "inputs[0].data: element %zu is no UINT8, a whole number from 0 to 255", at);
		r->pixels[at] = (uint8_t)value;
		return 0;
	}
	r->ink[at] = (float)item->valuedouble;
	return is_ink(r->ink[at]) ? 0 : err_status(e, 400, "inputs[0].data: element %zu is " NO_INK, at);
}

// Reads an array at this depth; the data is flat, or nested as the shape says. *at: elements read so far.
static int read_array(const struct input *in, const cJSON *array, int depth, size_t *at, struct oip_request *r, struct err *e)
{
	bool flat = depth == 0 && !cJSON_IsArray(array->child), has_numbers = flat || depth == in->n_dims - 1;
	size_t n = 0, want = flat ? (size_t)in->shape[0] * N_PIXELS : (size_t)in->shape[depth];
	const cJSON *item;
	cJSON_ArrayForEach(item, array)
	{
		if (n++ == want)
			break;
		int status = has_numbers           ? read_element(in, item, (*at)++, r, e)
			     : cJSON_IsArray(item) ? read_array(in, item, depth + 1, at, r, e)
						   : err_status(e, 400, "inputs[0].data: must be flat, or nested as its shape is");
		if (status)
			return status;
	}
	if (n != want)
		return err_status(e, 400, "inputs[0].data: an array has %s than the %zu elements that the shape wants",
				  n < want ? "less" : "more", want);
	return 0;
}

static int read_input(const cJSON *root, const uint8_t *binary, size_t n, int max_pictures, struct oip_request *r, struct err *e)
{
	const cJSON *inputs = member(root, "inputs");
	if (!cJSON_IsArray(inputs) || cJSON_GetArraySize(inputs) != 1)
		return err_status(e, 400, "inputs: must be an array of one, the input \"input\"");
	const cJSON *input = inputs->child;
	const char *name = cJSON_GetStringValue(member(input, "name"));
	if (!name || strcmp(name, "input") != 0)
		return err_status(e, 400, "inputs[0].name: there is no input \"%.40s\"; there is \"input\"", name ? name : "");
	struct input in;
	int status;
	if ((status = read_datatype(input, &in, e)) || (status = read_shape(input, max_pictures, &in, e)) ||
	    (status = read_place(input, binary, n, &in, e)))
		return status;
	if (in.binary)
		return read_binary(&in, r, e);
	size_t at = 0;
	if (!cJSON_IsArray(in.data))
		return err_status(e, 400, "inputs[0].data: must be an array");
	status = allocate(r, in.shape[0], in.is_bytes, e);
	return status ? status : read_array(&in, in.data, 0, &at, r, e);
}

static int read_id(const cJSON *root, struct oip_request *r, struct err *e)
{
	const cJSON *id = member(root, "id");
	if (id && !cJSON_IsString(id))
		return err_status(e, 400, "id: must be a string");
	if (id && !(r->id = strdup(id->valuestring)))
		return no_memory(e);
	return 0;
}

static int read_json(const char *body, size_t n_json, size_t n, int max_pictures, struct oip_request *r, struct err *e)
{
	cJSON *root;
	if (memmem(body, n_json, "\\u0000", 6)) // cJSON would end the string there
		return err_status(e, 400, "a string with \\u0000 is not accepted; leave it out");
	int status = json_parse(body, n_json, max_pictures, &root, e);
	if (status)
		return 400;
	if (!cJSON_IsObject(root))
		status = err_status(e, 400, "the JSON must be an object: {\"inputs\": [{\"name\": \"input\", …}]}");
	else if (!(status = read_id(root, r, e)) && !(status = read_outputs(root, r, e)))
		status = read_input(root, (const uint8_t *)body + n_json, n - n_json, max_pictures, r, e);
	cJSON_Delete(root);
	return status;
}

// As in Triton, all outputs of a raw request are binary data.
static int read_raw(const char *body, size_t n, int max_pictures, struct oip_request *r, struct err *e)
{
	enum { PICTURE = N_PIXELS * sizeof(float) };
	if (n == 0 || n % PICTURE)
		return err_status(e, 400, "a raw body is pictures of 784 FP32, %d bytes each; %zu bytes were sent", (int)PICTURE,
				  n);
	if (n / PICTURE > (size_t)max_pictures)
		return too_many(max_pictures, e);
	const struct input in = { .shape = { (int)(n / PICTURE) }, .binary = (const uint8_t *)body, .n_binary = n };
	for (int k = 0; k < OIP_N_OUTPUTS; k++)
		r->wanted[r->n_wanted++] = (struct oip_wanted){ .output = (enum oip_output)k, .binary = true };
	return read_binary(&in, r, e);
}

int oip_request_read(const char *header_length, const char *body, size_t n, int max_pictures, struct oip_request *request,
		     struct err *e)
{
	struct oip_request r = { 0 };
	size_t n_json = header_length ? 0 : n;
	const char *c = header_length ? header_length : "";
	while (*c >= '0' && *c <= '9' && n_json <= n)
		n_json = n_json * 10 + (size_t)(*c++ - '0');
	int status;
	if (header_length && (c == header_length || *c || n_json > n))
		status = err_status(
			e, 400, "Inference-Header-Content-Length: must be how many of the body's %zu bytes are JSON, not \"%.20s\"",
			n, header_length);
	else if (header_length && n_json == 0)
		status = read_raw(body, n, max_pictures, &r, e);
	else
		status = read_json(body, n_json, n, max_pictures, &r, e);
	if (status) {
		oip_request_free(&r);
		return status;
	}
	*request = r;
	return 0;
}
