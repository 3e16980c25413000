// sweep: many training runs as one file. {"seeds": [1, 2], "grids": [{"recipe": "lab.json", "lr": [0.01, 0.1]}, …]}
//
// A grid is a recipe's file, looked for from the sweep's own folder, and lists of values for some of its fields; it stands
// for every combination of them. The points of a sweep are those of all its grids; one that several grids have in common,
// where two lines through the same base cross, is there once. Each point is run with every seed.
// Values only; any thread may call.
#pragma once

#include "core/err.h"
#include "models/recipe.h"

#include <stdint.h>

enum { SWEEP_MAX_RUNS = 1000, SWEEP_MAX_SEEDS = 100, SWEEP_NAME = 128 };

struct sweep_point {
	char name[SWEEP_NAME]; // of its recipe and of what differs from it, fit for a folder: "lab", "lab-lr=0.1-batch=32"
	struct recipe recipe; // with the first seed
};

// Owned; sweep_free frees. Run r is point r / n_seeds with seed r % n_seeds.
struct sweep {
	int n_points, n_seeds;
	struct sweep_point *points; // [n_points], in the file's order
	uint32_t seeds[SWEEP_MAX_SEEDS]; // [n_seeds]
};

// Parses the text of a sweep; `path` is where it came from: recipes are found from there, and messages begin with it.
// Refused: what is not as above; no seed, grid or value; a seed or value given twice; more than SWEEP_MAX_RUNS runs; two
// points that differ and would have one name; and what recipe_parse refuses.
int sweep_parse(const char *text, const char *path, struct sweep *sweep, struct err *e);
int sweep_read(const char *path, struct sweep *sweep, struct err *e);
void sweep_free(struct sweep *sweep);

// Where run r's files are below `dir`: "DIR/NAME/seed=N/FILE". -1 if that is too long a name.
enum { SWEEP_PATH = 4096 };
int sweep_path(const struct sweep *sweep, const char *dir, int run, const char *file, char path[SWEEP_PATH], struct err *e);

int sweep_n_runs(const struct sweep *sweep);
struct recipe sweep_recipe(const struct sweep *sweep, int run);
