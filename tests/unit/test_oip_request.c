// Bodies of inference requests → pictures and what is wanted; and what is said to each that is wrong.
#include "server/routes/oip_request.h"

#include "tests/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_PIXELS = 784, MAX_TEXT = 1 << 16 };

enum { MAX_PICTURES = 4 };
static struct oip_request request;
static struct err error;
static char body[MAX_TEXT];
static size_t n_body;

static void add(const void *bytes, size_t n)
{
	memcpy(body + n_body, bytes, n);
	n_body += n;
}

static void say(const char *text)
{
	add(text, strlen(text));
}

// Reads what was written, from a copy of its exact size, for the sanitiser.
static int read_body(const char *header_length)
{
	oip_request_free(&request);
	error.msg[0] = 0;
	char *copy = malloc(n_body + !n_body);
	memcpy(copy, body, n_body);
	int status = oip_request_read(header_length, copy, n_body, MAX_PICTURES, &request, &error);
	free(copy);
	CHECK((status == 0) == (request.n > 0) && (status == 0) == !error.msg[0]);
	n_body = 0;
	return status;
}

// The same of JSON and n bytes behind it.
static int read_parts(const char *json, const void *bytes, size_t n)
{
	char length[24];
	snprintf(length, sizeof length, "%zu", strlen(json));
	n_body = 0;
	say(json);
	add(bytes, n);
	return read_body(length);
}

// n numbers, 0, 1, … 199 and again, each divided.
static void say_numbers(int n, int divisor)
{
	char text[32];
	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof text, "%s%.9g", i ? "," : "", (double)((float)(i % 200) / (float)divisor));
		say(text);
	}
}

static void check_ink(int n)
{
	CHECK(request.n == n && request.ink && !request.pixels);
	for (int i = 0; i < n * N_PIXELS && request.ink; i++)
		CHECK_MSG(request.ink[i] == (float)(i % 200) / 255, "element %d is %g", i, (double)request.ink[i]);
}

TEST(oip_request_reads_flat_data)
{
	static const char *const shapes[] = { "[2,1,28,28]", "[2,28,28]", "[2,784]" };
	for (size_t i = 0; i < 3; i++) {
		say("{\"id\": \"a\\\"b\", \"model_name\": \"x\", \"inputs\": [{\"name\": \"input\", \"datatype\": \"FP32\", "
		    "\"shape\": ");
		say(shapes[i]);
		say(", \"data\": [");
		say_numbers(2 * N_PIXELS, 255);
		say("]}]} \n");
		CHECK_MSG(read_body(NULL) == 0, "%s", error.msg);
		check_ink(2);
		CHECK(strcmp(request.id, "a\"b") == 0);
		CHECK(request.n_wanted == 2 && request.wanted[0].output == OIP_LOGITS &&
		      request.wanted[1].output == OIP_PROBABILITIES);
		CHECK(!request.wanted[0].binary && request.wanted[0].n_classes == 0);
	}
	oip_request_free(&request);
}

TEST(oip_request_reads_nested_data)
{
	say("{\"inputs\": [{\"name\": \"input\", \"datatype\": \"UINT8\", \"shape\": [2,1,28,28], \"data\": [");
	for (int y = 0; y < 56; y++) {
		say(y == 0 ? "[[[" : y == 28 ? "]]],[[[" : "],[");
		say_numbers(28, 1);
	}
	say("]]]]}]}");
	CHECK_MSG(read_body(NULL) == 0, "%s", error.msg);
	CHECK(request.n == 2 && request.pixels && !request.ink && !request.id);
	for (int i = 0; i < 2 * N_PIXELS && request.pixels; i++)
		CHECK(request.pixels[i] == i % 28);
	oip_request_free(&request);
}

TEST(oip_request_reads_binary_data)
{
	float ink[2 * N_PIXELS];
	for (int i = 0; i < 2 * N_PIXELS; i++)
		ink[i] = (float)(i % 200) / 255;
	CHECK_MSG(read_parts("{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[2,784],\"parameters\":{\"binary_"
			     "data_size\":6272}}],"
			     "\"parameters\":{\"binary_data_output\":true},\"outputs\":[{\"name\":\"probabilities\"},"
			     "{\"name\":\"logits\",\"parameters\":{\"binary_data\":false,\"classification\":3}}]}",
			     ink, sizeof ink) == 0,
		  "%s", error.msg);
	check_ink(2);
	CHECK(request.n_wanted == 2 && request.wanted[0].output == OIP_PROBABILITIES && request.wanted[1].output == OIP_LOGITS);
	CHECK(request.wanted[0].binary && !request.wanted[1].binary);
	CHECK(request.wanted[0].n_classes == 0 && request.wanted[1].n_classes == 3);

	uint8_t pixels[N_PIXELS];
	for (int i = 0; i < N_PIXELS; i++)
		pixels[i] = (uint8_t)i;
	CHECK(read_parts("{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,28,28],\"parameters\":{\"binary_"
			 "data_size\":784}}],"
			 "\"outputs\":[{\"name\":\"logits\",\"parameters\":{\"classification\":99}}]}",
			 pixels, sizeof pixels) == 0);
	CHECK(request.pixels && memcmp(request.pixels, pixels, sizeof pixels) == 0);
	CHECK(request.n_wanted == 1 && request.wanted[0].n_classes == 10);

	CHECK(read_parts("{\"id\":null,\"outputs\":null,\"parameters\":null,\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\","
			 "\"shape\":[1,784],"
			 "\"data\":null,\"parameters\":{\"binary_data_size\":784}}]}",
			 pixels, sizeof pixels) == 0);
	CHECK(!request.id && request.n_wanted == 2);

	add(ink, sizeof ink);
	CHECK(read_body("0") == 0);
	check_ink(2);
	CHECK(request.n_wanted == 2 && request.wanted[0].binary && request.wanted[1].binary);
	oip_request_free(&request);
}

#define INPUT "\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"parameters\":{\"binary_data_size\":784}}]"

// JSON with 784 bytes behind it, or where there is none of them none.
static const struct {
	const char *json, *words;
	bool alone;
} faults[] = {
	{ "{\"inputs\":", "malformed at byte", false },
	{ "{" INPUT "}x", "malformed at byte", false },
	{ "[1]", "must be an object", false },
	{ "{}", "inputs: must be an array of one", false },
	{ "{\"inputs\":[]}", "inputs: must be an array of one", false },
	{ "{\"inputs\":{\"name\":\"input\"}}", "inputs: must be an array of one", false },
	{ "{\"inputs\":[{\"name\":\"input\"},{\"name\":\"input\"}]}", "inputs: must be an array of one", false },
	{ "{\"inputs\":[7]}", "inputs[0].name: there is no input \"\"", false },
	{ "{\"inputs\":[{\"name\":\"image\"}]}", "no input \"image\"; there is \"input\"", false },
	{ "{\"inputs\":[{\"name\":\"input\\u0000\"}]}", "\\u0000", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"shape\":[1,784]}]}", "inputs[0].datatype: must be \"FP32\"", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP64\",\"shape\":[1,784]}]}", "not \"FP64\"", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\"}]}", "inputs[0].shape: must be [n,1,28,28]", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[784]}]}", "inputs[0].shape: must be", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[28,28]}]}", "inputs[0].shape: must be", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,3,28,28]}]}", "inputs[0].shape: must be", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,1,1,28,28]}]}", "inputs[0].shape: must be", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[0,784]}]}", "n at least 1", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[-1,784]}]}", "n at least 1", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1.5,784]}]}", "n at least 1", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1e300,784]}]}", "n at least 1", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[\"1\",784]}]}", "inputs[0].shape: must be", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":\"[1,784]\"}]}", "inputs[0].shape: must be", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[5,784]}]}", "more than 4 pictures", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784]}]}", "inputs[0].data: is missing", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"data\":[1]}]}", "784 bytes follow the JSON",
	  false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784]}]}", "inputs[0].data: is missing", true },
	{ "{" INPUT "}", "behind the JSON, 0 bytes", true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"data\":[],\"parameters\":{\"binary_data_"
	  "size\":784}}]}",
	  "both \"data\" and binary_data_size", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"parameters\":{\"binary_data_size\":785}}]}",
	  "the JSON, 784 bytes", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"parameters\":{\"binary_data_size\":1e19}}]}",
	  "the JSON, 784 bytes", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"parameters\":{\"binary_data_size\":\"784\"}}"
	  "]}",
	  "the JSON, 784 bytes", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"parameters\":[]}]}",
	  "inputs[0].parameters: must be an object", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"parameters\":{\"shared_memory_region\":"
	  "\"r\"}}]}",
	  "shared memory is not supported", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,784],\"parameters\":{\"binary_data_size\":784}}]}",
	  "a tensor of that shape has 3136 bytes, and 784 were sent", false },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"data\":7}]}",
	  "inputs[0].data: must be an array", true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"data\":[]}]}", "less than the 784 elements",
	  true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"data\":[[1],[2]]}]}",
	  "less than the 784 elements", true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[2,784],\"data\":[[],2]}]}",
	  "less than the 784 elements", true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,28,28],\"data\":[[7]]}]}", "nested as its shape is",
	  true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"data\":[[[1]]]}]}",
	  "element 0 is not a number", true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"data\":[256]}]}", "element 0 is no UINT8",
	  true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"data\":[1,0.5]}]}", "element 1 is no UINT8",
	  true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"UINT8\",\"shape\":[1,784],\"data\":[-1]}]}", "element 0 is no UINT8",
	  true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,784],\"data\":[1,\"1\"]}]}",
	  "element 1 is not a number", true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,784],\"data\":[1,-1000001]}]}",
	  "element 1 is no number from", true },
	{ "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,784],\"data\":[NaN]}]}", "malformed", true },
	{ "{\"id\":7," INPUT "}", "id: must be a string", false },
	{ "{\"parameters\":7," INPUT "}", "parameters: must be an object", false },
	{ "{\"parameters\":{\"binary_data_output\":1}," INPUT "}", "parameters.binary_data_output: must be true or false", false },
	{ "{\"outputs\":{}," INPUT "}", "outputs: must be an array", false },
	{ "{\"outputs\":[7]," INPUT "}", "outputs[0].name: must be \"logits\" or \"probabilities\"", false },
	{ "{\"outputs\":[{\"name\":\"logits\"},{\"name\":\"digit\"}]," INPUT "}", "outputs[1].name: there is no output \"digit\"",
	  false },
	{ "{\"outputs\":[{\"name\":\"logits\"},{\"name\":\"logits\"}]," INPUT "}", "outputs[1].name: \"logits\" is asked for twice",
	  false },
	{ "{\"outputs\":[{\"name\":\"logits\"},{\"name\":\"probabilities\"},{\"name\":\"x\"}]," INPUT "}", "outputs[2].name",
	  false },
	{ "{\"outputs\":[{\"name\":\"logits\",\"parameters\":7}]," INPUT "}", "outputs[0].parameters: must be an object", false },
	{ "{\"outputs\":[{\"name\":\"logits\",\"parameters\":{\"binary_data\":\"yes\"}}]," INPUT "}",
	  "outputs[0].parameters.binary_data", false },
	{ "{\"outputs\":[{\"name\":\"logits\",\"parameters\":{\"classification\":-1}}]," INPUT "}",
	  "outputs[0].parameters.classification", false },
	{ "{\"outputs\":[{\"name\":\"logits\",\"parameters\":{\"classification\":\"3\"}}]," INPUT "}",
	  "outputs[0].parameters.classification", false },
	{ "{\"outputs\":[{\"name\":\"logits\",\"parameters\":{\"shared_memory_region\":\"r\"}}]," INPUT "}",
	  "shared memory is not supported", false },
};

TEST(oip_request_faults)
{
	static const uint8_t pixels[N_PIXELS];
	CHECK(read_parts("{" INPUT "}", pixels, sizeof pixels) == 0);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		int status = read_parts(faults[i].json, pixels, faults[i].alone ? 0 : sizeof pixels);
		CHECK_MSG(status == 400 && strstr(error.msg, faults[i].words), "%s: %d, %s", faults[i].json, status, error.msg);
	}
}

TEST(oip_request_header_length)
{
	static const char *const wrong[] = { "", "x", "-1", " 1", "1x", "3", "99999999999999999999999999", "0x1" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		say("{}");
		CHECK_MSG(read_body(wrong[i]) == 400 && strstr(error.msg, "must be how many of the body's 2 bytes are JSON"),
			  "%s: %s", wrong[i], error.msg);
	}
	CHECK(read_body(NULL) == 400 && strstr(error.msg, "malformed"));
	say("{}");
	CHECK(read_body("1") == 400 && strstr(error.msg, "malformed"));
	say("{}");
	CHECK(read_body("2") == 400 && strstr(error.msg, "inputs:"));
}

TEST(oip_request_raw_faults)
{
	static const float ink[5 * N_PIXELS];
	float odd[N_PIXELS] = { [1] = 1e6f, [2] = -1e6f, [3] = NAN };
	CHECK(read_body("0") == 400 && strstr(error.msg, "0 bytes were sent"));
	add(ink, 3135);
	CHECK(read_body("0") == 400 && strstr(error.msg, "3136 bytes each; 3135 bytes were sent"));
	add(ink, sizeof ink);
	CHECK(read_body("0") == 400 && strstr(error.msg, "more than 4 pictures"));
	add(odd, sizeof odd);
	CHECK(read_body("0") == 400 && strstr(error.msg, "input \"input\": element 3 is no number from"));
	odd[3] = 3e37f; // sums would overflow
	CHECK(read_parts("{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,784],\"parameters\":{\"binary_data_"
			 "size\":3136}}]}",
			 odd, sizeof odd) == 400 &&
	      strstr(error.msg, "element 3 is no number from"));
}

TEST(oip_request_too_much)
{
	say("{\"inputs\": [{\"name\": \"input\", \"datatype\": \"UINT8\", \"shape\": [1,784], \"data\": [");
	say_numbers(6 * N_PIXELS, 1);
	say("]}]}");
	CHECK(read_body(NULL) == 400 && strstr(error.msg, "more values than 4 pictures need"));
	say("{\"inputs\": [{\"name\": \"input\", \"datatype\": \"UINT8\", \"shape\": [1,784], \"data\": [");
	say_numbers(N_PIXELS + 1, 1);
	say("]}]}");
	CHECK(read_body(NULL) == 400 && strstr(error.msg, "more than the 784 elements"));
}
