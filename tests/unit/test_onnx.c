// Reads the file back as any protobuf reader would, knowing none of the writer's code; that other runtimes compute our numbers
// with it is tests/e2e/test_onnx.py's to see.
#include "core/builtin.h"
#include "models/onnx.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct span {
	const uint8_t *at, *end;
};

struct field {
	uint64_t number, value;
	struct span bytes; // of a field that is bytes
};

static uint64_t read_varint(struct span *s)
{
	uint64_t value = 0;
	for (int shift = 0; s->at < s->end; shift += 7) {
		uint8_t byte = *s->at++;
		value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return value;
	}
	CHECK_MSG(false, "a varint is cut off");
	return value;
}

// The next field. False at the end, and if what is there is no field.
static bool next_field(struct span *s, struct field *f)
{
	if (s->at >= s->end)
		return false;
	uint64_t key = read_varint(s);
	*f = (struct field){ .number = key >> 3, .value = read_varint(s) };
	bool fits = (key & 7) == 0 || f->value <= (uint64_t)(s->end - s->at);
	CHECK_MSG((key & 7) == 0 || (key & 7) == 2, "field %d has wire type %d", (int)f->number, (int)(key & 7));
	CHECK_MSG(fits, "field %d is longer than what it is in", (int)f->number);
	if ((key & 7) == 2 && fits) {
		f->bytes = (struct span){ s->at, s->at + f->value };
		s->at += f->value;
	}
	return fits;
}

// The k-th field of that number; an empty one if there is none.
static struct field find(struct span s, uint64_t number, int k)
{
	struct field f;
	while (next_field(&s, &f))
		if (f.number == number && k-- == 0)
			return f;
	return (struct field){ 0 };
}

static void say(char *line, size_t size, const char *before, struct span s)
{
	size_t n = strlen(line);
	snprintf(line + n, size - n, "%s%.*s", before, (int)(s.end - s.at), (const char *)s.at);
}

// "Conv(input,c1.weight,c1.bias)=c1 pads:2,2,2,2"
static void describe_node(struct span node, char *line, size_t size)
{
	struct field f, number;
	line[0] = '\0';
	say(line, size, "", find(node, 4, 0).bytes);
	for (int i = 0; (f = find(node, 1, i)).number; i++)
		say(line, size, i ? "," : "(", f.bytes);
	say(line, size, ")=", find(node, 2, 0).bytes);
	for (int i = 0; (f = find(node, 5, i)).number; i++) {
		bool list = find(f.bytes, 20, 0).value == 7;
		say(line, size, " ", find(f.bytes, 1, 0).bytes);
		for (int k = 0; (number = find(f.bytes, list ? 8 : 3, k)).number; k++) {
			size_t n = strlen(line);
			snprintf(line + n, size - n, "%c%d", k ? ',' : ':', (int)number.value);
		}
	}
}

static struct span encode(const struct weights *w, uint8_t **bytes)
{
	size_t n = 0;
	struct err e;
	CHECK_MSG(onnx_encode(w, bytes, &n, &e) == 0, "%s", e.msg);
	return (struct span){ *bytes, *bytes + n };
}

static struct weights built_in(void)
{
	struct weights w = { 0 };
	struct err e;
	CHECK_MSG(builtin_read(&w, &e) == 0, "%s", e.msg);
	return w;
}

TEST(onnx_graph)
{
	static const char *const want[2][11] = {
		{ "Conv(input,c1.weight,c1.bias)=c1 pads:2,2,2,2", "MaxPool(c1)=s2.pooled kernel_shape:2,2 strides:2,2",
		  "Relu(s2.pooled)=s2", "Conv(s2,c3.weight,c3.bias)=c3", "MaxPool(c3)=s4.pooled kernel_shape:2,2 strides:2,2",
		  "Relu(s4.pooled)=s4", "Flatten(s4)=s4.flat", "Gemm(s4.flat,c5.weight,c5.bias)=c5 transB:1",
		  "Gemm(c5,f6.weight,f6.bias)=f6.sum transB:1", "Relu(f6.sum)=f6",
		  "Gemm(f6,output.weight,output.bias)=logits transB:1" },
		{ [2] = "Sigmoid(s2.pooled)=s2", [5] = "Sigmoid(s4.pooled)=s4", [9] = "Tanh(f6.sum)=f6" },
	};
	struct weights w = built_in();
	struct err e;
	for (int other = 0; other < 2; other++) {
		uint8_t *bytes = NULL;
		w.net = lenet5_find(other ? "sigmoid" : "relu", &e);
		struct span model = encode(&w, &bytes), graph = find(model, 7, 0).bytes;
		CHECK(find(model, 1, 0).value == 7);
		CHECK(find(find(model, 8, 0).bytes, 2, 0).value == 13);
		for (int i = 0; i < 11; i++) {
			char line[128];
			describe_node(find(graph, 1, i).bytes, line, sizeof line);
			const char *wanted = want[other][i] ? want[other][i] : want[0][i];
			CHECK_MSG(strcmp(line, wanted) == 0, "node %d is %s, want %s", i, line, wanted);
		}
		CHECK(find(graph, 1, 11).number == 0);
		free(bytes);
	}
	weights_free(&w);
}

// "input:n,1,28,28", of elements of type 1, float
static void describe_value(struct span value, char *line, size_t size)
{
	struct span tensor = find(find(value, 2, 0).bytes, 1, 0).bytes, shape = find(tensor, 2, 0).bytes;
	struct field dim;
	CHECK(find(tensor, 1, 0).value == 1);
	line[0] = '\0';
	say(line, size, "", find(value, 1, 0).bytes);
	for (int i = 0; (dim = find(shape, 1, i)).number; i++) {
		size_t n = strlen(line);
		if (find(dim.bytes, 2, 0).number)
			say(line, size, i ? "," : ":", find(dim.bytes, 2, 0).bytes);
		else
			snprintf(line + n, size - n, ",%d", (int)find(dim.bytes, 1, 0).value);
	}
}

TEST(onnx_values_and_tensors)
{
	struct weights w = built_in();
	uint8_t *bytes = NULL;
	char line[64];
	struct span graph = find(encode(&w, &bytes), 7, 0).bytes;
	describe_value(find(graph, 11, 0).bytes, line, sizeof line);
	CHECK_MSG(strcmp(line, "input:n,1,28,28") == 0, "%s", line);
	describe_value(find(graph, 12, 0).bytes, line, sizeof line);
	CHECK_MSG(strcmp(line, "logits:n,10") == 0, "%s", line);
	for (int t = 0; t < w.net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &w.net->tensors[t];
		struct span m = find(graph, 5, t).bytes, raw = find(m, 9, 0).bytes, name = find(m, 8, 0).bytes;
		size_t n_name = (size_t)(name.end - name.at);
		CHECK(n_name == strlen(tensor->name) && memcmp(name.at, tensor->name, n_name) == 0);
		for (int i = 0; i < tensor->n_dims; i++)
			CHECK(find(m, 1, i).value == (uint64_t)tensor->shape[i]);
		CHECK(find(m, 1, tensor->n_dims).number == 0 && find(m, 2, 0).value == 1);
		CHECK((size_t)(raw.end - raw.at) == tensor->count * sizeof(float));
		if (t >= 2) // C1 has the standardising in it
			CHECK_MSG(memcmp(raw.at, w.params + tensor->offset, tensor->count * sizeof(float)) == 0, "%s",
				  tensor->name);
	}
	free(bytes);
	weights_free(&w);
}

TEST(onnx_c1_standardises)
{
	struct weights w = built_in();
	uint8_t *bytes = NULL;
	struct span graph = find(encode(&w, &bytes), 7, 0).bytes;
	float weight[150], bias[6];
	memcpy(weight, find(find(graph, 5, 0).bytes, 9, 0).bytes.at, sizeof weight);
	memcpy(bias, find(find(graph, 5, 1).bytes, 9, 0).bytes.at, sizeof bias);
	// A window of ink k/25 at place k, through both.
	for (int map = 0; map < 6; map++) {
		double ours = (double)w.params[w.net->tensors[1].offset + (size_t)map], theirs = (double)bias[map];
		for (int k = 0; k < 25; k++) {
			ours += (double)w.params[25 * map + k] * (k / 25.0 - (double)w.mean) / (double)w.std;
			theirs += (double)weight[25 * map + k] * (k / 25.0);
		}
		CHECK_MSG(ours - theirs < 1e-6 && theirs - ours < 1e-6, "map %d: %g, want %g", map, theirs, ours);
	}
	free(bytes);
	weights_free(&w);
}

TEST(onnx_refuses_penalties)
{
	struct err e;
	struct weights w = { .net = lenet5_find("1998", &e) };
	uint8_t *bytes = NULL;
	size_t n;
	CHECK(onnx_encode(&w, &bytes, &n, &e) == -1 && !bytes);
	CHECK_MSG(strstr(e.msg, "sigmoid or relu"), "%s", e.msg);
}
