// sweep: a list of training runs, read from a file: {"seeds": [1, 2], "grids": [{"recipe": "lab.json", "lr": [0.01, 0.1]}, …]}
// A grid names a recipe's file, relative to the sweep's folder, and lists values for some of its fields. Its points are all
// combinations of these values. A sweep has the points of all its grids, each once, and runs each point with every seed.
// Pure functions; any thread may call.
#pragma once

#include "core/err.h"
#include "models/recipe.h"

#include <stdint.h>

enum { SWEEP_MAX_RUNS = 1000, SWEEP_MAX_SEEDS = 100, SWEEP_NAME = 128 };

struct sweep_point {
	char name[SWEEP_NAME]; // of its folder: the recipe and what differs from it: "lab", "lab-lr=0.1-batch=32"
	struct recipe recipe; // with the first seed
};

// Owned; sweep_free frees. Run r is point r / n_seeds with seed r % n_seeds.
struct sweep {
	int n_points, n_seeds;
	struct sweep_point *points; // [n_points], in the file's order
	uint32_t seeds[SWEEP_MAX_SEEDS]; // [n_seeds]
};

// Parses the text of a sweep; recipes are relative to its `path`, which begins every message. Refuses what recipe_parse refuses, an empty
// or repeated seed, grid or value, more than SWEEP_MAX_RUNS runs, and two different points with one name.
int sweep_parse(const char *text, const char *path, struct sweep *sweep, struct err *e);
int sweep_read(const char *path, struct sweep *sweep, struct err *e);
void sweep_free(struct sweep *sweep);

// The path of a file of run `run`: "DIR/NAME/seed=N/FILE". -1 if it is too long.
enum { SWEEP_PATH = 4096 };
int sweep_path(const struct sweep *sweep, const char *dir, int run, const char *file, char path[SWEEP_PATH], struct err *e);

int sweep_n_runs(const struct sweep *sweep);
struct recipe sweep_recipe(const struct sweep *sweep, int run);
