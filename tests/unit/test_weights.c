#include "core/builtin.h"
#include "core/file.h"
#include "core/safetensors.h"
#include "core/weights.h"
#include "tests/unit/safetensors_file.h"
#include "tests/unit/scratch.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A model to change in the tests below: the file that golden/ has.
static struct weights read_init(const char *network)
{
	char path[64];
	snprintf(path, sizeof path, "tests/golden/%s-init.safetensors", network);
	struct weights w = { 0 };
	struct err e = { .msg = "" };
	CHECK_MSG(weights_read(path, NULL, &w, &e) == 0, "%s", e.msg);
	return w;
}

TEST(weights_reads_foreign_files)
{
	static const char *const networks[] = { "sigmoid", "relu" };
	for (int i = 0; i < 2; i++) {
		struct weights w = read_init(networks[i]);
		CHECK(w.net && strcmp(w.net->name, networks[i]) == 0 && w.net->n_params == 61706);
		CHECK(w.mean == 0.1307f && w.std == 0.3081f && !w.momentum);
		CHECK(w.n_meta == 4 && strcmp(w.meta[0].key, "framework") == 0 && !weights_get(&w, "network"));
		CHECK(strcmp(weights_get(&w, "seed"), "0") == 0);
		for (int p = 0; p < 150; p++)
			CHECK(fabsf(w.params[p]) <= 0.2f && w.params[p] != 0); // ±1/√25
		weights_free(&w);
		weights_free(&w);
	}
	struct weights w = { 0 };
	struct err e = { .msg = "" };
	CHECK_MSG(builtin_read(&w, &e) == 0, "%s", e.msg);
	weights_free(&w);
}

static bool same(const struct weights *a, const struct weights *b)
{
	size_t n = a->net->n_params * sizeof(float);
	bool equal = a->net == b->net && a->mean == b->mean && a->std == b->std && a->n_meta == b->n_meta &&
		     memcmp(a->params, b->params, n) == 0 && !a->momentum == !b->momentum &&
		     (!a->momentum || memcmp(a->momentum, b->momentum, n) == 0);
	for (int i = 0; equal && i < a->n_meta; i++)
		equal = strcmp(a->meta[i].key, b->meta[i].key) == 0 && strcmp(a->meta[i].value, b->meta[i].value) == 0;
	return equal;
}

// w written: the bytes. The caller frees.
static uint8_t *write_bytes(const struct weights *w, size_t *n)
{
	struct scratch s = scratch_new();
	struct err e = { .msg = "" };
	uint8_t *bytes = NULL;
	const char *path = scratch_path(&s, "lenet.bin");
	CHECK_MSG(weights_write(path, w, &e) == 0 && file_read(path, WEIGHTS_MAX_BYTES, &bytes, n, &e) == 0, "%s", e.msg);
	CHECK(scratch_count(&s) == 1);
	scratch_free(&s);
	return bytes;
}

TEST(weights_written_files_read_the_same_and_have_the_same_bytes)
{
	struct weights w = read_init("relu"), back = { 0 };
	struct err e = { .msg = "" };
	size_t n, n_again;
	CHECK(weights_set(&w, "recipe", "{\"a\": \"\\u00e4 \xc3\xa4\"}\n\ttab", &e) == 0);
	w.mean = 0.1f;
	w.std = 1 / 3.f;
	w.momentum = malloc(w.net->n_params * sizeof(float));
	for (size_t i = 0; i < w.net->n_params; i++)
		w.momentum[i] = -(float)i / 7;
	uint8_t *bytes = write_bytes(&w, &n);
	CHECK(n % 8 == 0 && bytes[0] % 8 == 0); // 123,412 numbers
	CHECK_MSG(weights_parse(bytes, n, NULL, &back, &e) == 0, "%s", e.msg);
	CHECK(same(&w, &back));
	uint8_t *again = write_bytes(&back, &n_again);
	CHECK(n == n_again && memcmp(bytes, again, n) == 0);

	struct safetensors s;
	CHECK(safetensors_parse(bytes, n, &s, &e) == 0 && s.n_tensors == 20);
	CHECK(strcmp(safetensors_get(&s, "format"), "lenet") == 0 && strcmp(safetensors_get(&s, "version"), "1") == 0);
	CHECK(strcmp(safetensors_get(&s, "mean"), "0.100000001") == 0 && strlen(safetensors_get(&s, "sha256")) == 64);
	CHECK((s.data - bytes) % 8 == 0 && s.data[-1] != '\0');
	safetensors_free(&s);
	free(bytes);
	free(again);
	weights_free(&w);
	weights_free(&back);
}

TEST(weights_every_damaged_byte_of_data_is_noticed)
{
	struct weights w = read_init("relu"), back = { 0 };
	struct err e = { .msg = "" };
	size_t n;
	uint8_t *bytes = write_bytes(&w, &n);
	for (size_t i = n - w.net->n_params * 4; i < n; i += 9973) {
		bytes[i] ^= 1;
		CHECK(weights_parse(bytes, n, NULL, &back, &e) == -1 && strstr(e.msg, "sha256") && !back.params);
		bytes[i] ^= 1;
	}
	for (size_t cut = 0; cut < n; cut += cut < 1500 ? 1 : 7919)
		CHECK(weights_parse(bytes, cut, NULL, &back, &e) == -1 && !back.params);
	free(bytes);
	weights_free(&w);
}

TEST(weights_network_must_be_known_and_agree)
{
	struct weights w = { 0 };
	struct err e;
	size_t n;
	uint8_t *bytes = test_file("tests/golden/relu-init.safetensors", &n);
	CHECK(weights_parse(bytes, n, "relu", &w, &e) == 0);
	weights_free(&w);
	CHECK(weights_parse(bytes, n, "sigmoid", &w, &e) == -1 && strstr(e.msg, "is for network \"relu\", not \"sigmoid\""));
	char *key = memmem(bytes, n, "\"network\"", 9);
	memcpy(key, "\"nobody_\"", 9);
	CHECK(weights_parse(bytes, n, NULL, &w, &e) == -1 && strstr(e.msg, "--network"));
	CHECK(weights_parse(bytes, n, "sigmoid", &w, &e) == 0 && strcmp(w.net->name, "sigmoid") == 0);
	weights_free(&w);
	CHECK(weights_parse(bytes, n, "alexnet", &w, &e) == -1 && strstr(e.msg, "alexnet") && strstr(e.msg, "sigmoid, relu, 1998"));
	free(bytes);
	CHECK(weights_read("tests/golden/none.bin", NULL, &w, &e) == -1 && strstr(e.msg, "tests/golden/none.bin: No such"));
	CHECK(weights_read("tests/golden/relu-after1.safetensors", NULL, &w, &e) == -1);
	CHECK_MSG(strstr(e.msg, "relu-after1.safetensors: tensor \"logits\" does not belong to network relu"), "%s", e.msg);
}

// The golden relu file's header with `from` replaced by `to`; its message, or "" if it parses.
static const char *edited_says(const char *from, const char *to)
{
	static struct err e;
	struct weights w = { 0 };
	size_t n;
	uint8_t *bytes = test_file("tests/golden/relu-init.safetensors", &n), *edited;
	size_t length = (size_t)(bytes[0] | bytes[1] << 8), n_data = n - 8 - length;
	char header[4096];
	snprintf(header, sizeof header, "%.*s", (int)length, (const char *)bytes + 8);
	char *at = strstr(header, from);
	CHECK_MSG(at, "%s is not in the header", from);
	if (at) {
		char rest[4096];
		strcpy(rest, at + strlen(from));
		snprintf(at, sizeof header - (size_t)(at - header), "%s%s", to, rest);
	}
	edited = safetensors_file(header, n_data, &n);
	memcpy(edited + n - n_data, bytes + 8 + length, n_data);
	e.msg[0] = '\0';
	if (weights_parse(edited, n, "relu", &w, &e) == 0)
		weights_free(&w);
	else
		CHECK(!w.params && !w.n_meta);
	free(edited);
	free(bytes);
	return e.msg;
}

TEST(weights_says_what_is_wrong)
{
	static const struct {
		const char *from, *to, *message;
	} edits[] = {
		{ "[16, 6, 5, 5]", "[16, 150]", "c3.weight: want shape [16,6,5,5], file has [16,150]" },
		{ "[84, 120]", "[120, 84]", "f6.weight: want shape [84,120], file has [120,84]" },
		{ "[6, 1, 5, 5]", "[6, 1, 5, 5, 1]", "c1.weight: want shape [6,1,5,5], file has [6,1,5,5,1]" },
		{ "\"F32\"", "\"I32\"", "c1.weight: want dtype F32, file has I32" },
		{ "c3.bias", "c3.BIAS", "tensor \"c3.BIAS\" does not belong to network relu, whose first is c1.weight" },
		{ "c1.bias", "momentum.c1.bias", "c1.bias is missing" },
		{ "\"seed\": \"0\"", "\"mean\": \"nan\"", "__metadata__: mean is \"nan\", not a finite number" },
		{ "\"seed\": \"0\"", "\"mean\": \"0.1x\"", "__metadata__: mean is \"0.1x\", not a finite number" },
		{ "\"seed\": \"0\"", "\"mean\": \"\"", "__metadata__: mean is \"\", not a finite number" },
		{ "\"seed\": \"0\"", "\"std\": \"1e39\"", "__metadata__: std is \"1e39\", not a finite number" },
		{ "\"seed\": \"0\"", "\"std\": \"0\"", "__metadata__: std is 0, and must be above 0" },
		{ "\"seed\": \"0\"", "\"std\": \"-1\"", "__metadata__: std is -1, and must be above 0" },
		{ "\"seed\": \"0\"", "\"std\": 1", "__metadata__: the value of \"std\" is not a string" },
		{ "\"seed\": \"0\"", "\"format\": \"lenet\", \"version\": \"2\"",
		  "has version \"2\" of the format; this program reads version 1" },
		{ "\"seed\": \"0\"", "\"format\": \"pt\", \"version\": \"2\"", "" },
		{ "\"seed\": \"0\"", "\"std\": \"0.25\"", "" },
	};
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
		const char *message = edited_says(edits[i].from, edits[i].to);
		CHECK_MSG(strcmp(message, edits[i].message) == 0, "\"%s\", want \"%s\"", message, edits[i].message);
	}
	CHECK(strncmp(edited_says("\"seed\": \"0\"", "\"sha256\": \"abc\""), "is damaged: the sha256 of its data is ", 38) == 0);
}

TEST(weights_numbers_must_be_finite)
{
	struct weights w = { 0 };
	struct err e;
	size_t n;
	uint8_t *bytes = test_file("tests/golden/relu-init.safetensors", &n);
	float bad[] = { NAN, INFINITY, -INFINITY };
	for (int i = 0; i < 3; i++) {
		uint8_t *at = bytes + n - 61706 * 4 + 4 * (2556 + 11); // c3.bias[11]
		memcpy(at, &bad[i], 4);
		CHECK(weights_parse(bytes, n, NULL, &w, &e) == -1 && strstr(e.msg, "c3.bias: element 11 is ") && !w.params);
	}
	free(bytes);

	struct scratch s = scratch_new();
	w = read_init("relu");
	w.params[w.net->n_params - 1] = NAN;
	CHECK(weights_write(scratch_path(&s, "lenet.bin"), &w, &e) == -1 && strstr(e.msg, "output.bias: element 9"));
	CHECK(scratch_count(&s) == 0);
	scratch_free(&s);
	weights_free(&w);
}

TEST(weights_set_replaces_and_has_bounds)
{
	struct weights w = { 0 };
	struct err e;
	char key[32];
	CHECK(weights_set(&w, "a", "1", &e) == 0 && weights_set(&w, "b", "2", &e) == 0 && weights_set(&w, "a", "3", &e) == 0);
	CHECK(w.n_meta == 2 && strcmp(weights_get(&w, "a"), "3") == 0 && !weights_get(&w, "c"));
	CHECK(weights_set(&w, "sha256", "x", &e) == -1 && weights_set(&w, "network", "x", &e) == -1);
	for (int i = 2; i < WEIGHTS_MAX_META; i++) {
		snprintf(key, sizeof key, "key %d", i);
		CHECK(weights_set(&w, key, "", &e) == 0);
	}
	CHECK(weights_set(&w, "one more", "", &e) == -1 && strstr(e.msg, "at most 64"));
	CHECK(weights_set(&w, "b", "4", &e) == 0 && w.n_meta == WEIGHTS_MAX_META);
	weights_free(&w);
}

// Of 1998, where C3 has links and whose centres they are.
TEST(weights_of_1998)
{
	struct weights w = read_init("1998"), back = { 0 };
	struct err e = { .msg = "" };
	size_t n;
	CHECK(w.net->n_params == 61740 && w.params[60900] == -1 && w.params[60901] == 1); // the top row of the 0: .#####.
	float initial[61740];
	struct rng rng;
	rng_init(&rng, 1);
	lenet5_init(w.net, &rng, initial);
	CHECK(memcmp(initial + 60900, w.params + 60900, 840 * sizeof(float)) == 0); // our figure 3 is golden/'s
	for (int i = 168; i < 168 + 2400; i++)
		CHECK((initial[i] == 0) == (w.params[i] == 0)); // and so is the table
	w.momentum = calloc(w.net->n_params, sizeof(float));
	w.curvature = calloc(w.net->n_params, sizeof(float));
	w.curvature[3] = 7;
	w.params[60900] = 0.5f; // a centre of one's own
	uint8_t *bytes = write_bytes(&w, &n);
	CHECK_MSG(weights_parse(bytes, n, NULL, &back, &e) == 0, "%s", e.msg);
	CHECK(back.params[60900] == 0.5f && back.curvature && back.curvature[3] == 7 && back.momentum && back.momentum[3] == 0);
	weights_free(&back);
	free(bytes);

	struct scratch s = scratch_new();
	const size_t unlinked = 168 + 150 + 3; // map 1 does not see map 0
	float *const sets[] = { w.params, w.momentum, w.curvature };
	static const char *const names[] = { "c3.weight", "momentum.c3.weight", "curvature.c3.weight" };
	for (int i = 0; i < 3; i++) {
		char says[128];
		sets[i][unlinked] = 0.25f;
		snprintf(says, sizeof says,
			 "%s: element 153 is 0.25, and must be 0: in network 1998 map 1 of C3 does not see map 0 of S2", names[i]);
		CHECK(weights_write(scratch_path(&s, "lenet.bin"), &w, &e) == -1);
		CHECK_MSG(strstr(e.msg, says), "%s", e.msg);
		sets[i][unlinked] = 0;
	}
	bytes = test_file("tests/golden/1998-init.safetensors", &n);
	memcpy(bytes + n - 4 * (61740 - unlinked), &(float){ 0.25f }, 4); // the file's data, in the same order
	CHECK(weights_parse(bytes, n, NULL, &back, &e) == -1 && strstr(e.msg, "element 153 is 0.25, and must be 0"));
	free(bytes);
	scratch_free(&s);
	weights_free(&w);
}

TEST(weights_text_that_is_not_utf8_is_not_written)
{
	struct scratch s = scratch_new();
	struct err e;
	struct weights w = read_init("relu");
	CHECK(weights_set(&w, "recipe", "caf\xe9", &e) == 0);
	CHECK(weights_write(scratch_path(&s, "lenet.bin"), &w, &e) == -1 && strstr(e.msg, "UTF-8") && scratch_count(&s) == 0);
	weights_free(&w);
	scratch_free(&s);
}

// A file with these strings and the tensors of a golden one.
static uint8_t *with_strings(const struct safetensors_meta *strings, int n_strings, size_t *n)
{
	struct safetensors s;
	struct err e = { .msg = "" };
	uint8_t *bytes = NULL;
	CHECK(safetensors_read("tests/golden/relu-init.safetensors", 1 << 20, &s, &e) == 0);
	CHECK_MSG(safetensors_format(strings, n_strings, s.tensors, s.n_tensors, &bytes, n, &e) == 0, "%s", e.msg);
	safetensors_free(&s);
	return bytes;
}

TEST(weights_keep_a_calibration)
{
	struct weights w = read_init("relu"), back = { 0 };
	struct err e = { .msg = "" };
	size_t n;
	CHECK(!w.is_calibrated && w.calibration.temperature == 1 && w.calibration.threshold == 0.5f);
	uint8_t *bytes = write_bytes(&w, &n);
	CHECK(!memmem(bytes, n, "temperature", 11) && !memmem(bytes, n, "threshold", 9)); // as before there were any
	free(bytes);
	w.is_calibrated = true;
	w.calibration = (struct lenet5_calibration){ 1.2345f, 0.9f };
	bytes = write_bytes(&w, &n);
	CHECK(memmem(bytes, n, "\"temperature\":\"1.2345\",\"threshold\":\"0.9\"", 40));
	CHECK_MSG(weights_parse(bytes, n, NULL, &back, &e) == 0, "%s", e.msg);
	CHECK(back.is_calibrated && back.calibration.temperature == 1.2345f && back.calibration.threshold == 0.9f &&
	      same(&w, &back));
	CHECK(weights_set(&w, "threshold", "0.1", &e) == -1 && weights_set(&w, "temperature", "2", &e) == -1);
	free(bytes);
	weights_free(&w);
	weights_free(&back);
}

TEST(weights_refuse_a_bad_calibration)
{
	static const struct {
		const char *key, *value;
	} good[] = { { "temperature", "0.01" }, { "temperature", "100" }, { "threshold", "0" }, { "threshold", "1.000" } },
	  bad[] = { { "temperature", "0" },    { "temperature", "0.0099" }, { "temperature", "100.1" }, { "temperature", "-1" },
		    { "temperature", "nan" },  { "temperature", "1e0" },    { "temperature", "" },      { "temperature", "1 " },
		    { "threshold", "1.0001" }, { "threshold", "-0" },       { "threshold", "0x1" },     { "threshold", "inf" },
		    { "threshold", "0.5\n" } };
	for (size_t i = 0; i < sizeof good / sizeof good[0] + sizeof bad / sizeof bad[0]; i++) {
		bool is_good = i < sizeof good / sizeof good[0];
		const char *key = is_good ? good[i].key : bad[i - 4].key, *value = is_good ? good[i].value : bad[i - 4].value;
		const struct safetensors_meta strings[] = { { (char *)"network", (char *)"relu" }, { (char *)key, (char *)value } };
		struct weights w = { 0 };
		struct err e = { .msg = "" };
		size_t n;
		uint8_t *bytes = with_strings(strings, 2, &n);
		int failed = weights_parse(bytes, n, NULL, &w, &e);
		CHECK_MSG(!failed == is_good && w.is_calibrated == is_good, "%s %s: %s", key, value, e.msg);
		if (failed)
			CHECK_MSG(strstr(e.msg, key) && strstr(e.msg, "not a decimal number from 0"), "%s", e.msg);
		free(bytes);
		weights_free(&w);
	}
}
