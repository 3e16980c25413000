// The container of weights files, whatever is in it.
#include "core/safetensors.h"
#include "tests/unit/safetensors_file.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Parses; "" if that succeeds, or the message.
static const char *container_says(const char *header, size_t n_data)
{
	static struct err e;
	size_t n;
	uint8_t *file = safetensors_file(header, n_data, &n);
	struct safetensors s;
	e.msg[0] = '\0';
	if (safetensors_parse(file, n, &s, &e) == 0)
		safetensors_free(&s);
	free(file);
	return e.msg;
}

TEST(safetensors_accepts_what_the_format_allows)
{
	static const struct {
		const char *header;
		size_t n_data;
	} good[] = {
		{ "{}", 0 },
		{ "{\"__metadata__\":{}}      ", 0 },
		{ "{\"__metadata__\":{\"a\":\"\\u00e9 \xe2\x82\xac \xf0\x9f\x98\x80\"}}", 0 },
		{ "{\"b\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[2,10]},\"a\":{\"dtype\":\"BF16\",\"shape\":[],"
		  "\"data_offsets\":[0,2]}}",
		  10 },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[4,4]},\"b\":{\"shape\":[4],\"data_offsets\":[0,4],"
		  "\"dtype\":\"U8\"},\"c\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[0,0]}}",
		  4 },
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		CHECK_MSG(*container_says(good[i].header, good[i].n_data) == '\0', "%s: %s", good[i].header,
			  container_says(good[i].header, good[i].n_data));
}

#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

TEST(safetensors_refuses_everything_else)
{
	static const struct {
		const char *header;
		size_t n_data;
		const char *word;
	} bad[] = {
		{ "", 0, "not a safetensors file" },
		{ "[]", 0, "not a safetensors file" },
		{ " {}", 0, "not a safetensors file" },
		{ "{", 0, "not JSON" },
		{ "{}x", 0, "more than one" },
		{ "{}\n", 0, "more than one" },
		{ "{\"a\":\x01}", 0, "UTF-8" },
		{ "{\"\xc0\xaf\":1}", 0, "UTF-8" },
		{ "{\"\xed\xa0\x80\":1}", 0, "UTF-8" },
		{ "{\"\xf4\x90\x80\x80\":1}", 0, "UTF-8" },
		{ "{\"\xe2\x82", 0, "UTF-8" },
		{ "{\"\xff\":1}", 0, "UTF-8" },
		{ "{\"a\":\"\\ud800\"}", 0, "not JSON" },
		{ "{}", 1, "belong to no tensor" },
		{ "{\"__metadata__\":[]}", 0, "__metadata__" },
		{ "{\"__metadata__\":{\"epoch\":3}}", 0, "value of \"epoch\" is not a string" },
		{ "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "\"k\" twice" },
		{ "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice" },
		{ "{\"a\":" T("U8", "[1]", "[0,1]") ",\"a\":" T("U8", "[1]", "[1,2]") "}", 2, "\"a\" twice" },
		{ "{\"a\":7}", 0, "a: has no dtype" },
		{ "{\"a\":[\"dtype\"]}", 0, "a: has no dtype" },
		{ "{\"a\":null}", 0, "a: has no dtype" },
		{ "{\"a\":{\"dtype\":32}}", 0, "a: has no dtype" },
		{ "{\"a\":{\"DType\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "a: has no dtype" },
		{ "{\"a\":" T("F31", "[1]", "[0,4]") "}", 4, "\"F31\" is unknown" },
		{ "{\"a\":" T("F32", "1", "[0,4]") "}", 4, "a: has no shape" },
		{ "{\"a\":" T("F32", "[-1]", "[0,4]") "}", 4, "dimension 1" },
		{ "{\"a\":" T("F32", "[1,1.5]", "[0,4]") "}", 4, "dimension 2" },
		{ "{\"a\":" T("F32", "[1,1e300]", "[0,4]") "}", 4, "dimension 2" },
		{ "{\"a\":" T("F32", "[1,\"1\"]", "[0,4]") "}", 4, "dimension 2" },
		{ "{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "more than 8" },
		// 2^62 · 4 is 0 in 64 bits, and so is 2^32 · 2^32.
		{ "{\"a\":" T("F32", "[2147483648,2147483648]", "[0,0]") "}", 0, "what its shape" },
		{ "{\"a\":" T("F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "dimension 2" },
		{ "{\"a\":" T("F32", "[1]", "[0,3]") "}", 3, "what its shape" },
		{ "{\"a\":" T("F32", "[1]", "[0,8]") "}", 8, "what its shape" },
		{ "{\"a\":" T("F32", "[1]", "[4,0]") "}", 4, "data_offsets" },
		{ "{\"a\":" T("F32", "[1]", "[0]") "}", 4, "data_offsets" },
		{ "{\"a\":" T("F32", "[1]", "[0,4,8]") "}", 4, "data_offsets" },
		{ "{\"a\":" T("F32", "[1]", "[-4,0]") "}", 4, "data_offsets" },
		{ "{\"a\":" T("F32", "[1]", "[0,4]") "}", 3, "cut short" },
		{ "{\"a\":" T("F32", "[1]", "[9007199254740988,9007199254740992]") "}", 4, "cut short" },
		{ "{\"a\":" T("F32", "[1]", "[1,5]") "}", 5, "a: its data leaves a gap" },
		{ "{\"a\":" T("U8", "[4]", "[0,4]") ",\"b\":" T("U8", "[2]", "[3,5]") "}", 5, "b: its data overlaps" },
		{ "{\"a\":" T("U8", "[4]", "[0,4]") ",\"b\":" T("U8", "[4]", "[0,4]") "}", 4, "overlaps" },
		{ "{\"a\":" T("U8", "[4]", "[0,4]") ",\"b\":" T("U8", "[2]", "[5,7]") "}", 7, "b: its data leaves a gap" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *message = container_says(bad[i].header, bad[i].n_data);
		CHECK_MSG(strstr(message, bad[i].word), "%s: \"%s\" has no \"%s\"", bad[i].header, message, bad[i].word);
	}
}

TEST(safetensors_large_and_deep_headers_are_refused)
{
	enum { SIZE = 1 << 20 };
	char *header = malloc(SIZE + 1);
	memset(header, ' ', SIZE);
	header[0] = '{';
	header[1] = '}';
	header[SIZE] = '\0';
	CHECK(strstr(container_says(header, 0), "limit"));
	header[SAFETENSORS_MAX_HEADER] = '\0';
	CHECK(*container_says(header, 0) == '\0');

	strcpy(header, "{\"a\":");
	memset(header + 5, '[', 200000);
	header[200005] = '\0';
	CHECK(strstr(container_says(header, 0), "not JSON"));

	size_t used = (size_t)sprintf(header, "{");
	for (int i = 0; i <= SAFETENSORS_MAX_TENSORS + 1; i++)
		used += (size_t)sprintf(header + used, "%s\"%d\":1", i ? "," : "", i);
	strcpy(header + used, "}");
	CHECK(strstr(container_says(header, 0), "more than"));
	free(header);

	static const uint8_t lengths[][8] = {
		{ 255, 255, 255, 255, 255, 255, 255, 255 }, { 3 }, { 0 }, { 0, 0, 0, 0, 0, 0, 0, 128 }
	};
	for (int i = 0; i < 4; i++) {
		uint8_t file[10] = "\0\0\0\0\0\0\0\0{}";
		memcpy(file, lengths[i], 8);
		struct safetensors s;
		struct err e = { .msg = "" };
		CHECK(safetensors_parse(file, sizeof file, &s, &e) == -1 && strstr(e.msg, "not a safetensors file"));
	}
}

TEST(safetensors_reads_golden_files)
{
	struct safetensors s;
	struct err e = { .msg = "" };
	float logits[2560], loss;
	CHECK_MSG(safetensors_read("tests/golden/relu-after100.safetensors", 1 << 20, &s, &e) == 0, "%s", e.msg);
	CHECK(s.n_tensors == 12);
	CHECK(safetensors_get(&s, "network") && strcmp(safetensors_get(&s, "network"), "relu") == 0);
	CHECK(!safetensors_get(&s, "nothing"));
	CHECK(safetensors_floats(&s, "logits", 2560, logits, &e) == 0);
	for (int i = 0; i < 2560; i++)
		CHECK(isfinite(logits[i]));
	CHECK(logits[7] > logits[0]); // the first test picture is a 7
	CHECK(safetensors_floats(&s, "logits", 2559, logits, &e) == -1);
	CHECK_MSG(strcmp(e.msg, "logits: want 2559 numbers, file has 2560") == 0, "%s", e.msg);
	CHECK(safetensors_floats(&s, "nothing", 1, &loss, &e) == -1 && strcmp(e.msg, "nothing is missing") == 0);
	safetensors_free(&s);
	safetensors_free(&s);
	CHECK(safetensors_read("tests/golden/relu-after100.safetensors", 1000, &s, &e) == -1 && strstr(e.msg, "limit"));
	CHECK(safetensors_read("tests/golden/README.md", 1 << 20, &s, &e) == -1);
	CHECK_MSG(strncmp(e.msg, "tests/golden/README.md: not a safetensors file", 46) == 0, "%s", e.msg);
}
