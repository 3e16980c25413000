#include "models/sweep.h"

#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#define LAB "\"recipe\": \"models/lab.json\""
#define ONE_SEED "\"seeds\": [1], \"grids\": "

static bool refuses(const char *text, const char *with)
{
	struct sweep s = { .n_points = 99 };
	struct err e = { "" };
	bool refused = sweep_parse(text, "a.json", &s, &e) == -1 && s.n_points == 99 && strstr(e.msg, with);
	if (!refused)
		printf("  %s: %s\n", text, e.msg);
	return refused;
}

TEST(sweep_lines_that_cross_share_a_point)
{
	static const char *const names[] = {
		"lab-lr=0.001", "lab-lr=0.005",  "lab",           "lab-lr=0.05",   "lab-lr=0.1",
		"lab-batch=32", "lab-batch=128", "lab-batch=256", "lab-batch=512", "lab-network=relu"
	};
	struct sweep s = { 0 };
	struct err e = { "" };
	CHECK_MSG(sweep_read("models/sweeps/lab.json", &s, &e) == 0, "%s", e.msg);
	CHECK(s.n_points == 10 && s.n_seeds == 5 && sweep_n_runs(&s) == 50);
	for (int i = 0; i < s.n_points && i < 10; i++)
		CHECK_MSG(strcmp(s.points[i].name, names[i]) == 0, "point %d is %s", i, s.points[i].name);
	if (s.n_points == 10) {
		struct recipe r = sweep_recipe(&s, 33);
		CHECK(r.batch == 128 && r.lr == 0.01 && r.seed == 4 && r.epochs == 10);
	}
	sweep_free(&s);
}

TEST(sweep_grid_is_a_product)
{
	struct sweep s = { 0 };
	struct err e = { "" };
	const char *text = "{\"seeds\": [7, 8], \"grids\": [{" LAB ", \"lr\": [0.5, 1], \"batch\": [8, 64], \"rotate\": [3]}]}";
	static const char *const names[] = { "lab-batch=8-lr=0.5-rotate=3", "lab-lr=0.5-rotate=3", "lab-batch=8-lr=1-rotate=3",
					     "lab-lr=1-rotate=3" };
	CHECK_MSG(sweep_parse(text, "a.json", &s, &e) == 0, "%s", e.msg);
	CHECK(s.n_points == 4);
	for (int i = 0; i < s.n_points && i < 4; i++) {
		CHECK_MSG(strcmp(s.points[i].name, names[i]) == 0, "point %d is %s", i, s.points[i].name);
		CHECK(s.points[i].recipe.seed == 7 && s.points[i].recipe.distort.rotate == 3);
	}
	sweep_free(&s);
	CHECK_MSG(sweep_parse("{" ONE_SEED "[{" LAB "}]}", "a.json", &s, &e) == 0, "%s", e.msg);
	CHECK(s.n_points == 1 && strcmp(s.points[0].name, "lab") == 0);
	sweep_free(&s);
}

TEST(sweep_refuses)
{
	CHECK(refuses("", "a.json: line 1 is not JSON"));
	CHECK(refuses("{\n\"seeds\": [1],\n\"grids\": x}", "a.json: line 3"));
	CHECK(refuses("[]", "want a JSON object"));
	CHECK(refuses("{}", "seeds: want a list"));
	CHECK(refuses("{" ONE_SEED "[{" LAB "}], \"seed\": 1}", "unknown field \"seed\"; the fields are: seeds, grids"));
	CHECK(refuses("{" ONE_SEED "[{" LAB "}], \"seeds\": [2]}", "seeds is given twice"));
	CHECK(refuses("{\"seeds\": [], \"grids\": [{" LAB "}]}", "seeds: want a list of at least one"));
	CHECK(refuses("{\"seeds\": [1, 1], \"grids\": [{" LAB "}]}", "seeds: a value is given twice"));
	CHECK(refuses("{\"seeds\": [1.5], \"grids\": [{" LAB "}]}", "seeds: want whole numbers"));
	CHECK(refuses("{\"seeds\": [4294967296], \"grids\": [{" LAB "}]}", "seeds: want whole numbers"));
	CHECK(refuses("{\"seeds\": [-1], \"grids\": [{" LAB "}]}", "seeds: want whole numbers"));
	CHECK(refuses("{\"seeds\": [1]}", "grids: want a list"));
	CHECK(refuses("{" ONE_SEED "[]}", "grids: want a list of at least one"));
	CHECK(refuses("{" ONE_SEED "[3]}", "grids: want objects"));
	CHECK(refuses("{" ONE_SEED "[{}]}", "needs the file of the recipe"));
	CHECK(refuses("{" ONE_SEED "[{\"recipe\": \"models/none.json\"}]}", "models/none.json: No such file"));
	CHECK(refuses("{" ONE_SEED "[{" LAB ", \"lr\": []}]}", "lr: want a list of at least one"));
	CHECK(refuses("{" ONE_SEED "[{" LAB ", \"lr\": 0.1}]}", "lr: want a list"));
	CHECK(refuses("{" ONE_SEED "[{" LAB ", \"lr\": [0.1, 0.1]}]}", "lr: a value is given twice"));
	CHECK(refuses("{" ONE_SEED "[{" LAB ", \"lr\": [1], \"lr\": [2]}]}", "lr is given twice in one grid"));
	CHECK(refuses("{" ONE_SEED "[{" LAB ", \"seed\": [1]}]}", "seed: every point is run with all"));
	CHECK(refuses("{" ONE_SEED "[{" LAB ", \"rate\": [1]}]}", "a.json: unknown field \"rate\"; the fields are: network"));
	CHECK(refuses("{" ONE_SEED "[{" LAB ", \"lr\": [0.1, -1]}]}", "a.json: lr: want a number from 0 to 100"));
	CHECK(refuses("{" ONE_SEED "[{" LAB ", \"network\": [\"vgg\"]}]}", "network: want one of"));
}

// A list of n whole numbers from 1 on.
static void append_list(char *text, size_t size, int n)
{
	size_t used = strlen(text);
	for (int i = 1; i <= n; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%d", i == 1 ? "[" : ", ", i);
	snprintf(text + used, size - used, "]");
}

TEST(sweep_limits)
{
	static char text[20000];
	snprintf(text, sizeof text, "{" ONE_SEED "[{" LAB ", \"batch\": ");
	append_list(text, sizeof text, 11);
	strcat(text, ", \"epochs\": ");
	append_list(text, sizeof text, 91);
	strcat(text, "}]}");
	CHECK(refuses(text, "more than 1000 runs"));

	snprintf(text, sizeof text, "{\"seeds\": ");
	append_list(text, sizeof text, 101);
	strcat(text, ", \"grids\": [{" LAB "}]}");
	CHECK(refuses(text, "seeds: at most 100"));

	snprintf(text, sizeof text, "{\"seeds\": ");
	append_list(text, sizeof text, 91);
	strcat(text, ", \"grids\": [{" LAB ", \"batch\": ");
	append_list(text, sizeof text, 11);
	strcat(text, "}]}");
	CHECK(refuses(text, "more than 1000 runs"));
}
