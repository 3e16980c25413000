// The values of a grid are put into its recipe's JSON, which recipe_parse then reads: only recipe.c knows what a field accepts.
// Combinations are numbered like an odometer: digit k of the number is the index of field k's value.
#include "models/sweep.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The grid that is being read.
struct grid {
	const char *path; // of the sweep
	char recipe_path[SWEEP_PATH], stem[SWEEP_NAME]; // models/lab.json is "lab"
	struct recipe base;
	cJSON *object; // the recipe's file; owned
	const cJSON *values[RECIPE_N_FIELDS]; // lists; borrowed from the sweep
	int n_values;
};

// Refuses an empty list and a value that is given twice.
static int check_list(const cJSON *list, const char *path, const char *name, struct err *e)
{
	if (!cJSON_IsArray(list) || !list->child)
		return err_set(e, "%s: %s: want a list of at least one: [...]", path, name);
	for (const cJSON *a = list->child; a; a = a->next)
		for (const cJSON *b = a->next; b; b = b->next)
			if (cJSON_Compare(a, b, true))
				return err_set(e, "%s: %s: a value is given twice", path, name);
	return 0;
}

static int parse_seeds(const cJSON *list, const char *path, struct sweep *s, struct err *e)
{
	if (check_list(list, path, "seeds", e))
		return -1;
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		double x = cJSON_IsNumber(item) ? item->valuedouble : -1;
		if (!(x >= 0 && x <= UINT32_MAX) || x != (uint32_t)x)
			return err_set(e, "%s: seeds: want whole numbers from 0 to %u", path, UINT32_MAX);
		if (s->n_seeds == SWEEP_MAX_SEEDS)
			return err_set(e, "%s: seeds: at most %d", path, SWEEP_MAX_SEEDS);
		s->seeds[s->n_seeds++] = (uint32_t)x;
	}
	return 0;
}

static int find_recipe(struct grid *g, const cJSON *recipe, struct err *e)
{
	if (!cJSON_IsString(recipe))
		return err_set(e, "%s: each grid says which recipe it varies: {\"recipe\": \"lab.json\", ...}", g->path);
	const char *file = recipe->valuestring, *slash = strrchr(g->path, '/');
	int n_folder = slash && *file != '/' ? (int)(slash - g->path) + 1 : 0;
	if (snprintf(g->recipe_path, SWEEP_PATH, "%.*s%s", n_folder, g->path, file) >= SWEEP_PATH)
		return err_set(e, "%s: recipe: too long a name", g->path);
	const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file, *dot = strrchr(name, '.');
	size_t n = dot && dot > name ? (size_t)(dot - name) : strlen(name);
	if (n > 60)
		return err_set(e, "%s: recipe: %.40s...: too long a name for a folder", g->path, name);
	snprintf(g->stem, sizeof g->stem, "%.*s", (int)n, name);
	return 0;
}

static int open_grid(struct grid *g, const cJSON *grid, struct err *e)
{
	if (!cJSON_IsObject(grid))
		return err_set(e, "%s: grids: want objects: {\"recipe\": \"lab.json\", \"lr\": [0.01, 0.1]}", g->path);
	if (find_recipe(g, cJSON_GetObjectItemCaseSensitive(grid, "recipe"), e))
		return -1;
	char *text;
	if (recipe_read(g->recipe_path, NULL, &g->base, e) || recipe_read_text(g->recipe_path, &text, e))
		return -1;
	g->object = recipe_read_object(text, g->recipe_path, "{\"network\": \"relu\", ...}", e);
	free(text);
	if (!g->object)
		return -1;
	for (const cJSON *item = grid->child; item; item = item->next) {
		if (strcmp(item->string, "recipe") == 0)
			continue;
		if (strcmp(item->string, "seed") == 0)
			return err_set(e, "%s: seed: every point is run with all of \"seeds\"; put it there", g->path);
		if (cJSON_GetObjectItemCaseSensitive(grid, item->string) != item)
			return err_set(e, "%s: %s is given twice in one grid", g->path, item->string);
		if (check_list(item, g->path, item->string, e))
			return -1;
		if (g->n_values == RECIPE_N_FIELDS)
			return err_set(e, "%s: a recipe has no more than %d fields", g->path, RECIPE_N_FIELDS);
		g->values[g->n_values++] = item;
	}
	return 0;
}

static int name_point(const struct grid *g, struct sweep_point *p, struct err *e)
{
	size_t n = (size_t)snprintf(p->name, SWEEP_NAME, "%s", g->stem);
	for (int i = 0; i < RECIPE_N_FIELDS; i++) {
		char base[RECIPE_VALUE], here[RECIPE_VALUE];
		const char *field = recipe_field_at(i).name;
		recipe_value(&g->base, i, base);
		recipe_value(&p->recipe, i, here);
		if (strcmp(field, "seed") == 0 || strcmp(base, here) == 0)
			continue;
		n += (size_t)snprintf(p->name + n, SWEEP_NAME - n, "-%s=%s", field, here);
		if (n >= SWEEP_NAME)
			return err_set(e, "%s: a point differs from %s in too much for a folder's name", g->path, g->recipe_path);
	}
	return 0;
}

static int add_point(struct sweep *s, const struct sweep_point *p, const char *path, struct err *e)
{
	struct err difference;
	for (int i = 0; i < s->n_points; i++) {
		bool same = recipe_equal(&s->points[i].recipe, &p->recipe, &difference);
		if (same)
			return 0;
		if (strcmp(s->points[i].name, p->name) == 0)
			return err_set(e, "%s: two points would be called %s: %s", path, p->name, difference.msg);
	}
	if ((s->n_points + 1) * s->n_seeds > SWEEP_MAX_RUNS)
		return err_set(e, "%s: more than %d runs", path, SWEEP_MAX_RUNS);
	struct sweep_point *points = realloc(s->points, (size_t)(s->n_points + 1) * sizeof *points);
	if (!points)
		return err_set(e, "out of memory");
	s->points = points;
	s->points[s->n_points++] = *p;
	return 0;
}

static int add_combination(struct sweep *s, struct grid *g, long number, struct err *e)
{
	struct sweep_point p;
	for (int k = g->n_values - 1; k >= 0; k--) { // the last field changes fastest
		int n = cJSON_GetArraySize(g->values[k]);
		cJSON *value = cJSON_Duplicate(cJSON_GetArrayItem(g->values[k], (int)(number % n)), true);
		const char *field = g->values[k]->string;
		bool there = cJSON_GetObjectItemCaseSensitive(g->object, field);
		number /= n;
		if (!value || !(there ? cJSON_ReplaceItemInObjectCaseSensitive(g->object, field, value)
				      : cJSON_AddItemToObject(g->object, field, value)))
			return err_set(e, "out of memory");
	}
	char *text = cJSON_PrintUnformatted(g->object);
	int status = text ? recipe_parse(text, g->path, NULL, &p.recipe, e) : err_set(e, "out of memory");
	cJSON_free(text);
	if (status)
		return -1;
	p.recipe.seed = s->seeds[0];
	return name_point(g, &p, e) || add_point(s, &p, g->path, e) ? -1 : 0;
}

static int add_grid(struct sweep *s, const char *path, const cJSON *grid, struct err *e)
{
	struct grid g = { .path = path };
	int status = open_grid(&g, grid, e);
	long n = 1;
	for (int k = 0; k < g.n_values && !status; k++) {
		n *= cJSON_GetArraySize(g.values[k]);
		if (n > SWEEP_MAX_RUNS)
			status = err_set(e, "%s: more than %d runs", path, SWEEP_MAX_RUNS);
	}
	for (long i = 0; i < n && !status; i++)
		status = add_combination(s, &g, i, e);
	cJSON_Delete(g.object);
	return status;
}

static int parse(const cJSON *object, const char *path, struct sweep *s, struct err *e)
{
	for (const cJSON *item = object->child; item; item = item->next) {
		if (strcmp(item->string, "seeds") != 0 && strcmp(item->string, "grids") != 0)
			return err_set(e, "%s: there is no \"%.40s\" here; there are: seeds, grids", path, item->string);
		if (cJSON_GetObjectItemCaseSensitive(object, item->string) != item)
			return err_set(e, "%s: %s is given twice", path, item->string);
	}
	const cJSON *grids = cJSON_GetObjectItemCaseSensitive(object, "grids"), *grid;
	if (parse_seeds(cJSON_GetObjectItemCaseSensitive(object, "seeds"), path, s, e))
		return -1;
	if (!cJSON_IsArray(grids) || !grids->child)
		return err_set(e, "%s: grids: want a list of at least one: [{\"recipe\": \"lab.json\"}]", path);
	cJSON_ArrayForEach(grid, grids) if (add_grid(s, path, grid, e)) return -1;
	return 0;
}

int sweep_parse(const char *text, const char *path, struct sweep *sweep, struct err *e)
{
	struct sweep s = { 0 };
	const char *example = "{\"seeds\": [1], \"grids\": [{\"recipe\": \"lab.json\"}]}";
	cJSON *object = recipe_read_object(text, path, example, e);
	int status = object ? parse(object, path, &s, e) : -1;
	cJSON_Delete(object);
	if (status)
		sweep_free(&s);
	else
		*sweep = s;
	return status;
}

int sweep_read(const char *path, struct sweep *sweep, struct err *e)
{
	char *text;
	if (recipe_read_text(path, &text, e))
		return -1;
	int status = sweep_parse(text, path, sweep, e);
	free(text);
	return status;
}

void sweep_free(struct sweep *sweep)
{
	free(sweep->points);
	*sweep = (struct sweep){ 0 };
}

int sweep_n_runs(const struct sweep *sweep)
{
	return sweep->n_points * sweep->n_seeds;
}

struct recipe sweep_recipe(const struct sweep *sweep, int run)
{
	struct recipe recipe = sweep->points[run / sweep->n_seeds].recipe;
	recipe.seed = sweep->seeds[run % sweep->n_seeds];
	return recipe;
}

int sweep_path(const struct sweep *sweep, const char *dir, int run, const char *file, char path[SWEEP_PATH], struct err *e)
{
	if (snprintf(path, SWEEP_PATH, "%s/%s/seed=%u/%s", dir, sweep->points[run / sweep->n_seeds].name,
		     sweep->seeds[run % sweep->n_seeds], file) < SWEEP_PATH)
		return 0;
	return err_set(e, "%.40s...: too long a name", dir);
}
