// An ONNX file is one protobuf message (https://protobuf.dev/programming-guides/encoding). A field is a varint, or a length and so
// many bytes; an inner message is such bytes. Each message is written into its own buffer, which is then copied into the outer one.
// The field numbers are onnx.proto's (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
#include "models/onnx.h"

#include "core/version.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { IR_VERSION = 7, OPERATORS_VERSION = 13 };
enum model_field { MODEL_IR = 1, MODEL_PRODUCER, MODEL_PRODUCER_VERSION, MODEL_GRAPH = 7, MODEL_OPERATORS };
enum operators_field { OPERATORS_SET_VERSION = 2 };
enum graph_field { GRAPH_NODE = 1, GRAPH_NAME, GRAPH_TENSOR = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT };
enum node_field { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OPERATOR, NODE_ATTRIBUTE };
enum attribute_field { ATTRIBUTE_NAME = 1, ATTRIBUTE_INT = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum attribute_type { TYPE_INT = 2, TYPE_INTS = 7 };
enum tensor_field { TENSOR_DIM = 1, TENSOR_TYPE, TENSOR_NAME = 8, TENSOR_RAW };
enum value_field { VALUE_NAME = 1, VALUE_TYPE };
enum type_field { TYPE_TENSOR = 1 };
enum tensor_type_field { TENSOR_TYPE_ELEMENT = 1, TENSOR_TYPE_SHAPE };
enum shape_field { SHAPE_DIM = 1 };
enum dim_field { DIM_VALUE = 1, DIM_NAME };
enum { ELEMENT_FLOAT = 1 };

// A growing message. Zero-initialise; put_message empties it. Out of memory sets `failed`, which put_message hands to the outer one.
struct message {
	uint8_t *bytes;
	size_t n, capacity;
	bool failed;
};

static void put_bytes(struct message *m, const void *bytes, size_t n)
{
	if (!m->failed && m->capacity - m->n < n) {
		size_t capacity = 2 * (m->n + n);
		uint8_t *more = realloc(m->bytes, capacity);
		m->failed = !more;
		if (more) {
			m->bytes = more;
			m->capacity = capacity;
		}
	}
	if (m->failed || !n)
		return;
	memcpy(m->bytes + m->n, bytes, n);
	m->n += n;
}

static void put_varint(struct message *m, uint64_t value)
{
	uint8_t bytes[10];
	size_t n = 0;
	for (; value > 127; value >>= 7)
		bytes[n++] = (uint8_t)(value | 128);
	bytes[n++] = (uint8_t)value;
	put_bytes(m, bytes, n);
}

static void put_number(struct message *m, int field, uint64_t value)
{
	put_varint(m, (uint64_t)field << 3);
	put_varint(m, value);
}

static void put_block(struct message *m, int field, const void *bytes, size_t n)
{
	put_varint(m, (uint64_t)field << 3 | 2);
	put_varint(m, n);
	put_bytes(m, bytes, n);
}

static void put_string(struct message *m, int field, const char *s)
{
	put_block(m, field, s, strlen(s));
}

static void put_message(struct message *m, int field, struct message *inner)
{
	m->failed |= inner->failed;
	if (!m->failed)
		put_block(m, field, inner->bytes, inner->n);
	free(inner->bytes);
	*inner = (struct message){ 0 };
}

struct attribute {
	const char *name;
	int value, n; // n copies of value; n 0: value alone, not a list
};

// In the order of computation. A node without an operator is the activation of `layer`.
struct node {
	const char *operator;
	enum lenet5_layer layer;
	const char *inputs[3], *output;
	const struct attribute *attributes; // up to one without a name; or NULL
};

static const struct attribute pads[] = { { "pads", 2, 4 }, { NULL } };
static const struct attribute pool[] = { { "kernel_shape", 2, 2 }, { "strides", 2, 2 }, { NULL } };
static const struct attribute out_in[] = { { "transB", 1, 0 }, { NULL } }; // how weights are stored
static const struct node nodes[] = {
	{ "Conv", LENET5_C1, { "input", "c1.weight", "c1.bias" }, "c1", pads },
	{ "MaxPool", LENET5_S2, { "c1" }, "s2.pooled", pool },
	{ NULL, LENET5_S2, { "s2.pooled" }, "s2", NULL },
	{ "Conv", LENET5_C3, { "s2", "c3.weight", "c3.bias" }, "c3", NULL },
	{ "MaxPool", LENET5_S4, { "c3" }, "s4.pooled", pool },
	{ NULL, LENET5_S4, { "s4.pooled" }, "s4", NULL },
	{ "Flatten", LENET5_S4, { "s4" }, "s4.flat", NULL },
	{ "Gemm", LENET5_C5, { "s4.flat", "c5.weight", "c5.bias" }, "c5", out_in },
	{ "Gemm", LENET5_F6, { "c5", "f6.weight", "f6.bias" }, "f6.sum", out_in },
	{ NULL, LENET5_F6, { "f6.sum" }, "f6", NULL },
	{ "Gemm", LENET5_OUTPUT, { "f6", "output.weight", "output.bias" }, "logits", out_in },
};
enum { N_NODES = sizeof nodes / sizeof nodes[0] };

static void put_node(struct message *graph, const struct lenet5 *net, const struct node *node)
{
	static const char *const activations[] = { [LENET5_SIGMOID] = "Sigmoid", [LENET5_RELU] = "Relu", [LENET5_TANH] = "Tanh" };
	struct message m = { 0 };
	for (int i = 0; i < 3 && node->inputs[i]; i++)
		put_string(&m, NODE_INPUT, node->inputs[i]);
	put_string(&m, NODE_OUTPUT, node->output);
	put_string(&m, NODE_NAME, node->output);
	put_string(&m, NODE_OPERATOR, node->operator ? node->operator : activations[net->activation[node->layer]]);
	for (const struct attribute *a = node->attributes; a && a->name; a++) {
		struct message attribute = { 0 };
		put_string(&attribute, ATTRIBUTE_NAME, a->name);
		put_number(&attribute, ATTRIBUTE_TYPE, a->n ? TYPE_INTS : TYPE_INT);
		if (!a->n)
			put_number(&attribute, ATTRIBUTE_INT, (uint64_t)a->value);
		for (int k = 0; k < a->n; k++)
			put_number(&attribute, ATTRIBUTE_INTS, (uint64_t)a->value);
		put_message(&m, NODE_ATTRIBUTE, &attribute);
	}
	put_message(graph, GRAPH_NODE, &m);
}

// params: laid out as net->tensors says.
static void put_tensor(struct message *graph, const struct lenet5_tensor *tensor, const float *params)
{
	struct message m = { 0 };
	for (int i = 0; i < tensor->n_dims; i++)
		put_number(&m, TENSOR_DIM, (uint64_t)tensor->shape[i]);
	put_number(&m, TENSOR_TYPE, ELEMENT_FLOAT);
	put_string(&m, TENSOR_NAME, tensor->name);
	put_block(&m, TENSOR_RAW, params + tensor->offset, tensor->count * sizeof *params);
	put_message(graph, GRAPH_TENSOR, &m);
}

// shape: n_dims numbers behind the number of pictures, which is free.
static void put_value(struct message *graph, int field, const char *name, const int *shape, int n_dims)
{
	struct message m = { 0 }, type = { 0 }, tensor = { 0 }, dims = { 0 }, dim = { 0 };
	put_string(&dim, DIM_NAME, "n");
	put_message(&dims, SHAPE_DIM, &dim);
	for (int i = 0; i < n_dims; i++) {
		put_number(&dim, DIM_VALUE, (uint64_t)shape[i]);
		put_message(&dims, SHAPE_DIM, &dim);
	}
	put_number(&tensor, TENSOR_TYPE_ELEMENT, ELEMENT_FLOAT);
	put_message(&tensor, TENSOR_TYPE_SHAPE, &dims);
	put_message(&type, TYPE_TENSOR, &tensor);
	put_string(&m, VALUE_NAME, name);
	put_message(&m, VALUE_TYPE, &type);
	put_message(graph, field, &m);
}

// w·(x − mean)/std + b = (w/std)·x + (b − mean/std·Σw)
static void fold_standardising(const struct weights *w, float *params)
{
	double mean = (double)w->mean, std = (double)w->std;
	float *weight = params + w->net->tensors[0].offset, *bias = params + w->net->tensors[1].offset;
	for (int map = 0; map < 6; map++) {
		double sum = 0;
		for (int i = 0; i < 25; i++) {
			sum += (double)weight[25 * map + i];
			weight[25 * map + i] = (float)((double)weight[25 * map + i] / std);
		}
		bias[map] = (float)((double)bias[map] - mean / std * sum);
	}
}

static void put_graph(struct message *model, const struct weights *w, const float *params)
{
	struct message graph = { 0 };
	for (int i = 0; i < N_NODES; i++)
		put_node(&graph, w->net, &nodes[i]);
	put_string(&graph, GRAPH_NAME, w->net->name);
	for (int i = 0; i < w->net->n_tensors; i++)
		put_tensor(&graph, &w->net->tensors[i], params);
	put_value(&graph, GRAPH_INPUT, "input", (const int[]){ 1, LENET5_SIDE, LENET5_SIDE }, 3);
	put_value(&graph, GRAPH_OUTPUT, "logits", (const int[]){ LENET5_DIGITS }, 1);
	put_message(model, MODEL_GRAPH, &graph);
}

int onnx_encode(const struct weights *w, uint8_t **bytes, size_t *n, struct err *e)
{
	if (w->net->output != LENET5_LOGITS)
		return err_set(e, "network %s cannot be written as ONNX: its output is distances, not logits; use sigmoid or relu",
			       w->net->name);
	struct message model = { 0 }, operators = { 0 };
	float *params = malloc(w->net->n_params * sizeof *params);
	if (!params)
		return err_set(e, "out of memory");
	memcpy(params, w->params, w->net->n_params * sizeof *params);
	fold_standardising(w, params);
	put_number(&model, MODEL_IR, IR_VERSION);
	put_string(&model, MODEL_PRODUCER, "lenet");
	put_string(&model, MODEL_PRODUCER_VERSION, LENET_VERSION);
	put_graph(&model, w, params);
	put_number(&operators, OPERATORS_SET_VERSION, OPERATORS_VERSION);
	put_message(&model, MODEL_OPERATORS, &operators);
	free(params);
	if (model.failed) {
		free(model.bytes);
		return err_set(e, "out of memory");
	}
	*bytes = model.bytes;
	*n = model.n;
	return 0;
}
