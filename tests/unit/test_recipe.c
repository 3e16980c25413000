#include "models/recipe.h"

#include "tests/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MINIMAL "\"network\": \"relu\", \"epochs\": 2, \"batch\": 64, \"lr\": 0.1, \"seed\": 7"

static bool refuses(const char *text, const char *const overrides[RECIPE_N_FIELDS], const char *with)
{
	struct recipe r = { .epochs = 99 };
	struct err e = { "" };
	bool refused = recipe_parse(text, "a.json", overrides, &r, &e) == -1 && r.epochs == 99 && strstr(e.msg, with);
	if (!refused)
		printf("  %s: %s\n", text, e.msg);
	return refused;
}

static int field_at(const char *name)
{
	for (int i = 0; i < RECIPE_N_FIELDS; i++)
		if (strcmp(recipe_field_at(i).name, name) == 0)
			return i;
	return -1;
}

TEST(recipe_fields_and_defaults)
{
	struct recipe r;
	struct err e;
	CHECK(recipe_parse("{" MINIMAL "}", "a.json", NULL, &r, &e) == 0);
	CHECK(strcmp(lenet5_at(r.network)->name, "relu") == 0);
	CHECK(r.epochs == 2 && r.batch == 64 && r.lr == 0.1 && r.seed == 7);
	CHECK(r.momentum == 0 && r.schedule == RECIPE_CONSTANT && r.warmup == 0 && r.train_pictures == 0);
	CHECK(augment_is_none(&r.distort) && r.distort.elastic_sigma == 4);
}

TEST(recipe_shipped_files_are_read)
{
	struct recipe r;
	struct err e = { "" };
	CHECK_MSG(recipe_read("models/lab.json", NULL, &r, &e) == 0, "%s", e.msg);
	CHECK(r.lr == 0.01 && r.momentum == 0.9 && r.epochs == 10 && r.batch == 64 && augment_is_none(&r.distort));
	CHECK(strcmp(lenet5_at(r.network)->name, "sigmoid") == 0);
	CHECK_MSG(recipe_read("models/relu.json", NULL, &r, &e) == 0, "%s", e.msg);
	CHECK(recipe_read("models/none.json", NULL, &r, &e) == -1 && strstr(e.msg, "models/none.json"));
}

TEST(recipe_files_of_1998)
{
	static const char *const files[] = { "models/1998.json", "models/1998-distorted.json", "models/1998-sdlm.json" };
	struct recipe r;
	struct err e = { "" };
	for (int i = 0; i < 3; i++) {
		CHECK_MSG(recipe_read(files[i], NULL, &r, &e) == 0, "%s", e.msg);
		CHECK(strcmp(lenet5_at(r.network)->name, "1998") == 0 && r.loss == ENGINE_MAP && r.epochs == 20);
	}
	CHECK(r.optimiser == RECIPE_SDLM && r.batch == 1 && r.mu == 1 && r.curvature_pictures == 500 && r.momentum == 0);
}

#define PUBLISHED "\"network\": \"1998\", \"epochs\": 2, \"batch\": 1, \"lr\": 0.1, \"seed\": 7"

// Each field by itself is right; together they mean nothing.
TEST(recipe_refuses_what_does_not_go_together)
{
	struct recipe r;
	struct err e = { "" };
	CHECK(refuses("{" PUBLISHED "}", NULL, "a.json: loss: network 1998 is trained with \"mse\" or \"map\""));
	CHECK(refuses("{" MINIMAL ", \"loss\": \"map\"}", NULL, "loss: network relu is trained with \"cross_entropy\""));
	CHECK(refuses("{" MINIMAL ", \"optimiser\": \"sdlm\"}", NULL, "which only network 1998 has"));
	CHECK(refuses("{" MINIMAL ", \"j\": 1}", NULL, "j has no effect with any loss but \"map\""));
	CHECK(refuses("{" PUBLISHED ", \"loss\": \"mse\", \"j\": 1}", NULL, "j has no effect"));
	CHECK(refuses("{" PUBLISHED ", \"loss\": \"mse\", \"mu\": 1}", NULL, "mu has no effect"));
	CHECK(refuses("{" PUBLISHED ", \"loss\": \"mse\", \"curvature_pictures\": 1}", NULL, "curvature_pictures has no effect"));
	CHECK(refuses("{" PUBLISHED ", \"loss\": \"mse\", \"label_smoothing\": 0.1}", NULL, "label_smoothing has no effect"));
	CHECK(refuses("{" PUBLISHED ", \"loss\": \"mse\", \"optimiser\": \"sdlm\", \"mu\": 0}", NULL,
		      "mu: want a number from 1e-06"));
	CHECK_MSG(recipe_parse("{" PUBLISHED ", \"loss\": \"mse\"}", "a.json", NULL, &r, &e) == 0, "%s", e.msg);
}

TEST(recipe_refuses)
{
	CHECK(refuses("{" MINIMAL ", \"epoch\": 3}", NULL, "a.json: unknown field \"epoch\"; the fields are: network, epochs"));
	CHECK(refuses("{" MINIMAL ", \"lr\": 3}", NULL, "lr is given twice"));
	CHECK(refuses("{" MINIMAL ", \"momentum\": \"0.9\"}", NULL, "momentum: want a number from 0 to 0.9999"));
	CHECK(refuses("{" MINIMAL ", \"momentum\": 1}", NULL, "momentum: want a number from 0 to 0.9999"));
	CHECK(refuses("{" MINIMAL ", \"momentum\": null}", NULL, "momentum"));
	CHECK(refuses("{" MINIMAL ", \"warmup\": 1.5}", NULL, "warmup: want a whole number"));
	CHECK(refuses("{" MINIMAL ", \"warmup\": -1}", NULL, "warmup"));
	CHECK(refuses("{" MINIMAL ", \"warmup\": 1e300}", NULL, "warmup"));
	CHECK(refuses("{" MINIMAL ", \"rotate\": 1e999}", NULL, "rotate"));
	CHECK(refuses("{" MINIMAL ", \"schedule\": \"linear\"}", NULL,
		      "schedule: want one of \"constant\", \"cosine\", \"published\""));
	CHECK(refuses("{" MINIMAL ", \"schedule\": 1}", NULL, "schedule"));
	CHECK(refuses("{\"network\": \"lenet\"}", NULL, "network: want one of \"sigmoid\", \"relu\""));
	CHECK(refuses("{\"network\": \"relu\", \"epochs\": 1, \"batch\": 1, \"seed\": 1}", NULL, "\"lr\" is missing"));
	CHECK(refuses("[]", NULL, "want a JSON object"));
	CHECK(refuses("{\n\"network\": \"relu\",\n\"epochs\": }", NULL, "a.json: line 3"));
	CHECK(refuses("{" MINIMAL "} x", NULL, "not JSON"));
	CHECK(refuses("", NULL, "not JSON"));
}

TEST(recipe_overrides)
{
	const char *overrides[RECIPE_N_FIELDS] = { NULL };
	struct recipe r;
	struct err e = { "" };
	overrides[field_at("lr")] = "0.25";
	overrides[field_at("network")] = "sigmoid";
	overrides[field_at("epochs")] = "3"; // is missing in the file
	CHECK_MSG(recipe_parse("{\"network\": \"relu\", \"lr\": 1, \"batch\": 8, \"seed\": 0}", "a.json", overrides, &r, &e) == 0,
		  "%s", e.msg);
	CHECK(r.lr == 0.25 && r.epochs == 3 && strcmp(lenet5_at(r.network)->name, "sigmoid") == 0);

	static const char *const wrong[] = { "", "x", "0.1x", "nan", "inf", "-1", "1e9" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		overrides[field_at("lr")] = wrong[i];
		CHECK(refuses("{" MINIMAL "}", overrides, "the command line: lr: want a number from 0 to 100"));
	}
}

TEST(recipe_print_gives_itself_back)
{
	const char *overrides[RECIPE_N_FIELDS] = { NULL };
	struct recipe r, again;
	struct err e = { "" };
	char text[RECIPE_TEXT], text_again[RECIPE_TEXT];
	overrides[field_at("lr")] = "0.1234567890123456789"; // needs 17 digits
	overrides[field_at("schedule")] = "cosine";
	overrides[field_at("seed")] = "4294967295";
	overrides[field_at("rotate")] = "12.5";
	CHECK(recipe_parse("{" MINIMAL "}", "a.json", overrides, &r, &e) == 0);
	recipe_print(&r, text);
	CHECK_MSG(recipe_parse(text, "printed", NULL, &again, &e) == 0, "%s", e.msg);
	recipe_print(&again, text_again);
	CHECK(strcmp(text, text_again) == 0);
	CHECK(recipe_equal(&r, &again, &e) && again.lr == r.lr && again.seed == 4294967295u);
	CHECK(strstr(text, "\"epochs\":2,\"batch\":64,") && !strchr(text, ' '));

	CHECK(!strstr(text, "loss\":\"cross") && !strstr(text, "optimiser") && !strstr(text, "curvature")); // as ever, of others

	CHECK(recipe_parse("{" PUBLISHED ", \"loss\": \"map\", \"j\": 2, \"optimiser\": \"sdlm\"}", "a.json", NULL, &r, &e) == 0);
	recipe_print(&r, text);
	CHECK(strstr(text, "\"loss\":\"map\",\"j\":2,\"optimiser\":\"sdlm\""));
	CHECK(recipe_parse(text, "printed", NULL, &r, &e) == 0 && r.j == 2 && r.mu == 0.02 && r.curvature_pictures == 500);

	recipe_parse("{" MINIMAL "}", "a.json", overrides, &r, &e);
	again.distort.rotate = 12;
	CHECK(!recipe_equal(&r, &again, &e) && strstr(e.msg, "rotate is 12.5 here and 12 in the other"));
}

TEST(recipe_rates)
{
	struct recipe r = { .lr = 0.5, .schedule = RECIPE_CONSTANT, .warmup = 4 };
	CHECK(recipe_rate(&r, 0, 100) == 0.125f && recipe_rate(&r, 3, 100) == 0.5f && recipe_rate(&r, 99, 100) == 0.5f);
	r.schedule = RECIPE_COSINE;
	r.warmup = 0;
	CHECK(recipe_rate(&r, 0, 100) == 0.5f);
	CHECK(fabsf(recipe_rate(&r, 50, 100) - 0.25f) < 1e-6f);
	CHECK(recipe_rate(&r, 99, 100) > 0 && recipe_rate(&r, 99, 100) < 0.001f);

	// the paper's global rates
	static const float rates[20] = { 0.0005f,  0.0005f,  0.0002f,  0.0002f,  0.0002f,  0.0001f,  0.0001f,
					 0.0001f,  0.00005f, 0.00005f, 0.00005f, 0.00005f, 0.00001f, 0.00001f,
					 0.00001f, 0.00001f, 0.00001f, 0.00001f, 0.00001f, 0.00001f };
	r = (struct recipe){ .lr = 0.0005, .schedule = RECIPE_PUBLISHED, .epochs = 20 };
	for (uint64_t step = 0; step < 20 * 7; step++)
		CHECK_MSG(recipe_rate(&r, step, 20 * 7) == rates[step / 7], "step %d: %g", (int)step,
			  (double)recipe_rate(&r, step, 140));
}
