// What is answered: tensors of scores, and the routes, each of which docs/openapi.json has to describe.
#include "server/routes/oip.h"

#include "server/routes/oip_response.h"
#include "server/http/admission.h"
#include "server/observe/metrics_route.h"
#include "server/routes/inference.h"
#include "tests/unit/test.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPERATURE 1.5f // of the probabilities; the logits stay as they are

// Two pictures.
static const float scores[2 * LENET5_DIGITS] = { 3, 1, 4, 1.5f, 5, 9, 2, 6, 6, 0.1f, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10 };

static char *answer; // of the last write
static size_t n_answer, n_json;
static cJSON *json;

static const cJSON *write_answer(const char *network, const struct oip_request *request)
{
	struct err e;
	struct text body = { 0 };
	n_json = oip_response_write("m", lenet5_find(network, &e), TEMPERATURE, request, scores, &body);
	free(answer);
	answer = text_take(&body, &n_answer);
	cJSON_Delete(json);
	json = cJSON_ParseWithLength(answer, n_json ? n_json : n_answer);
	CHECK_MSG(json != NULL, "%s", answer);
	return cJSON_GetObjectItem(json, "outputs");
}

static void finish(void)
{
	free(answer);
	cJSON_Delete(json);
	answer = NULL;
	json = NULL;
}

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
	return text ? text : "";
}

static double number(const cJSON *array, int i)
{
	return cJSON_GetNumberValue(cJSON_GetArrayItem(array, i));
}

TEST(oip_response_in_json)
{
	struct oip_request request = { .id = (char[]){ "a\"b" },
				       .n = 2,
				       .n_wanted = 2,
				       .wanted = { { OIP_PROBABILITIES, false, 0 }, { OIP_LOGITS, false, 0 } } };
	const cJSON *outputs = write_answer("relu", &request);
	CHECK(n_json == 0 && cJSON_GetArraySize(outputs) == 2);
	CHECK(strcmp(text_of(json, "id"), "a\"b") == 0 && strcmp(text_of(json, "model_name"), "m") == 0);
	const cJSON *probabilities = cJSON_GetArrayItem(outputs, 0), *logits = cJSON_GetArrayItem(outputs, 1);
	CHECK(strcmp(text_of(probabilities, "name"), "probabilities") == 0 && strcmp(text_of(logits, "name"), "logits") == 0);
	const cJSON *data = cJSON_GetObjectItem(logits, "data"), *shape = cJSON_GetObjectItem(logits, "shape");
	CHECK(number(shape, 0) == 2 && number(shape, 1) == 10 && cJSON_GetArraySize(data) == 20);
	for (int i = 0; i < 20; i++)
		CHECK((float)number(data, i) == scores[i]);
	for (int p = 0; p < 2; p++) {
		struct lenet5_prediction want = lenet5_predict(lenet5_at(0), TEMPERATURE, scores + 10 * p);
		for (int d = 0; d < 10; d++)
			CHECK((float)number(cJSON_GetObjectItem(probabilities, "data"), 10 * p + d) == want.probabilities[d]);
	}
	request.id = NULL;
	write_answer("relu", &request);
	CHECK(!cJSON_HasObjectItem(json, "id"));
	finish();
}

TEST(oip_response_in_binary)
{
	const struct oip_request request = { .n = 2,
					     .n_wanted = 2,
					     .wanted = { { OIP_LOGITS, true, 0 }, { OIP_PROBABILITIES, false, 0 } } };
	const cJSON *logits = cJSON_GetArrayItem(write_answer("relu", &request), 0);
	CHECK(n_json > 0 && n_answer == n_json + sizeof scores && memcmp(answer + n_json, scores, sizeof scores) == 0);
	CHECK(number(cJSON_GetObjectItem(logits, "parameters"), 0) == sizeof scores && !cJSON_HasObjectItem(logits, "data"));
	CHECK(cJSON_HasObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "outputs"), 1), "data"));
	finish();
}

// The likeliest digit has the highest logit, whatever the network's scores mean.
TEST(oip_response_of_penalties)
{
	const struct oip_request request = { .n = 2,
					     .n_wanted = 2,
					     .wanted = { { OIP_LOGITS, false, 1 }, { OIP_PROBABILITIES, false, 1 } } };
	static const char *const first[] = { "-0.100000001:9", ":9" };
	const cJSON *outputs = write_answer("1998", &request);
	for (int i = 0; i < 2; i++) {
		const char *text =
			cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetArrayItem(outputs, i), "data"), 0));
		CHECK_MSG(text && strstr(text, first[i]), "%s", text ? text : "none");
	}
	finish();
}

TEST(oip_response_of_classes)
{
	struct oip_request request = { .n = 2, .n_wanted = 1, .wanted = { { OIP_LOGITS, false, 3 } } };
	static const char *const want[] = { "9:5", "6:7", "6:8", "-1:0", "-2:1", "-3:2" };
	const cJSON *output = cJSON_GetArrayItem(write_answer("relu", &request), 0);
	CHECK(strcmp(text_of(output, "datatype"), "BYTES") == 0);
	CHECK(number(cJSON_GetObjectItem(output, "shape"), 0) == 2 && number(cJSON_GetObjectItem(output, "shape"), 1) == 3);
	CHECK(cJSON_GetArraySize(cJSON_GetObjectItem(output, "data")) == 6);
	for (int i = 0; i < 6; i++)
		CHECK(strcmp(cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(output, "data"), i)), want[i]) == 0);

	request.wanted[0].binary = true;
	write_answer("relu", &request);
	const char *at = answer + n_json;
	for (int i = 0; i < 6; i++) {
		uint32_t n;
		memcpy(&n, at, sizeof n);
		CHECK(n == strlen(want[i]) && memcmp(at + sizeof n, want[i], n) == 0);
		at += sizeof n + n;
	}
	CHECK(at == answer + n_answer);
	finish();
}

// A path of the description as routes have it: a '*' for each {parameter}.
static void path_of(const char *described, char path[128])
{
	size_t n = 0;
	for (const char *c = described; *c && n < 127; c++) {
		path[n++] = *c == '{' ? '*' : *c;
		if (*c == '{')
			c += strcspn(c, "}");
	}
	path[n] = 0;
}

static bool has_timeout(const cJSON *operation)
{
	const cJSON *parameter;
	cJSON_ArrayForEach(parameter, cJSON_GetObjectItem(operation, "parameters")) if (strcmp(text_of(parameter, "$ref"),
											       "#/components/parameters/Timeout") ==
											0) return true;
	return false;
}

// What of an operation follows from its route: whether it is open without a key, and whether a deadline can be missed.
static void check_operation(const cJSON *operation, const char *path, const struct route *route)
{
	const cJSON *security = cJSON_GetObjectItem(operation, "security"); // without one, the whole description's
	CHECK_MSG(admission_path_is_public(path) == (security && cJSON_GetArraySize(security) == 0), "%s: who needs a key?", path);
	CHECK_MSG(has_timeout(operation) == (route->finish == inference_finish), "%s: is there a deadline?", path);
}

TEST(openapi_describes_every_route_and_no_other)
{
	struct routes_context context = { NULL, NULL, NULL };
	struct route_table tables[ROUTES_N_TABLES + 1] = { [ROUTES_N_TABLES] = { &metrics_route, 1, NULL } };
	routes_tables(&context, tables);
	size_t n;
	int n_described = 0, n_routes = 0;
	char *text = (char *)test_file("docs/openapi.json", &n);
	cJSON *root = cJSON_ParseWithLength(text, n);
	const cJSON *item, *operation;
	CHECK(cJSON_GetArraySize(cJSON_GetObjectItem(root, "security")) == 3); // none, or either of the two ways to bring a key
	cJSON_ArrayForEach(item, cJSON_GetObjectItem(root, "paths"))
	{
		cJSON_ArrayForEach(operation, item)
		{
			const struct route *found = NULL;
			char path[128], method[16] = "";
			path_of(item->string, path);
			for (size_t i = 0; operation->string[i] && i < sizeof method - 1; i++)
				method[i] = (char)toupper((unsigned char)operation->string[i]);
			for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
				for (int r = 0; r < tables[t].n_routes; r++)
					if (strcmp(tables[t].routes[r].path, path) == 0 &&
					    strcmp(tables[t].routes[r].method, method) == 0)
						found = &tables[t].routes[r];
			CHECK_MSG(found, "%s %s is described, and is no route", method, path);
			if (found)
				check_operation(operation, path, found);
			n_described++;
		}
	}
	for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
		n_routes += tables[t].n_routes;
	CHECK_MSG(n_described == n_routes, "%d operations are described, and there are %d routes", n_described, n_routes);
	cJSON_Delete(root);
	free(text);
}
