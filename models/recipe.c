// One table describes every field: its name, its place in struct recipe, the values it accepts, its default and its help.
// Parsing, printing, comparing and the command line are loops over the table. A new field is a new row.
#include "models/recipe.h"

#include "core/file.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { COUNT, REAL, NETWORK, SCHEDULE, LOSS, OPTIMISER }; // from NETWORK on: one of a list of words
enum presence { REQUIRED, OPTIONAL, RARE }; // RARE: optional, and not printed while it has its default

struct field {
	const char *name;
	enum kind kind;
	enum presence presence;
	size_t offset; // in struct recipe
	double low, high, preset; // the numbers accepted, both ends included; the default
	const char *help;
};

static const char *const schedules[] = {
	[RECIPE_CONSTANT] = "constant", [RECIPE_COSINE] = "cosine", [RECIPE_PUBLISHED] = "published", NULL
};
static const char *const losses[] = { [ENGINE_CROSS_ENTROPY] = "cross_entropy", [ENGINE_MSE] = "mse", [ENGINE_MAP] = "map", NULL };
static const char *const optimisers[] = { [RECIPE_SGD] = "sgd", [RECIPE_SDLM] = "sdlm", NULL };

#define AT(member) offsetof(struct recipe, member)
static const struct field fields[] = {
	{ "network", NETWORK, REQUIRED, AT(network), 0, 0, 0, "network to train: sigmoid, relu or 1998" },
	{ "epochs", COUNT, REQUIRED, AT(epochs), 1, 100000, 0, "passes over the training pictures" },
	{ "batch", COUNT, REQUIRED, AT(batch), 1, 16384, 0, "pictures in a step" },
	{ "lr", REAL, REQUIRED, AT(lr), 0, 100, 0, "learning rate; its highest value, with a schedule" },
	{ "momentum", REAL, OPTIONAL, AT(momentum), 0, 0.9999, 0, "v = momentum v + gradient (0)" },
	{ "weight_decay", REAL, OPTIONAL, AT(weight_decay), 0, 1, 0, "gradient += weight_decay x parameter (0)" },
	{ "schedule", SCHEDULE, OPTIONAL, AT(schedule), 0, 0, 0, "constant, cosine (falls to 0) or published (constant)" },
	{ "warmup", COUNT, OPTIONAL, AT(warmup), 0, 1e9, 0, "steps in which the rate grows to lr (0)" },
	{ "label_smoothing", REAL, OPTIONAL, AT(label_smoothing), 0, 0.9, 0, "share of the target spread over all digits (0)" },
	{ "loss", LOSS, RARE, AT(loss), 0, 0, 0, "cross_entropy; for network 1998 mse or map (cross_entropy)" },
	{ "j", REAL, RARE, AT(j), 0, 1000, 0.1, "loss map: penalty of the class \"rubbish\" (0.1)" },
	{ "optimiser", OPTIMISER, RARE, AT(optimiser), 0, 0, 0, "sgd, or sdlm: rates from the curvature (sgd)" },
	{ "mu", REAL, RARE, AT(mu), 1e-6, 100, 0.02, "sdlm: a parameter's rate is rate/(mu + curvature) (0.02)" },
	{ "curvature_pictures", COUNT, RARE, AT(curvature_pictures), 1, 1e9, 500, "sdlm: pictures to estimate it on (500)" },
	{ "seed", COUNT, REQUIRED, AT(seed), 0, UINT32_MAX, 0, "decides initial weights, order and distortions" },
	{ "train_pictures", COUNT, OPTIONAL, AT(train_pictures), 0, 1e9, 0, "train on the first N pictures only; 0: on all (0)" },
	{ "validation", COUNT, OPTIONAL, AT(validation), 0, 1e9, 0, "hold out the last N pictures and measure on those (0)" },
	{ "scenes", COUNT, RARE, AT(scenes), 0, 1e6, 0, "compose N scenes as photos are, and train on what is found in them (0)" },
	{ "outliers", COUNT, RARE, AT(outliers), 0, 1e6, 0, "compose N close-ups of what is no digit, and train on them, too (0)" },
	{ "rotate", REAL, OPTIONAL, AT(distort.rotate), 0, 180, 0, "distort: at most N degrees either way (0)" },
	{ "scale", REAL, OPTIONAL, AT(distort.scale), 0, 0.9, 0, "distort: fraction smaller or larger, x and y apart (0)" },
	{ "shear", REAL, OPTIONAL, AT(distort.shear), 0, 2, 0, "distort: pixels sideways for each pixel down (0)" },
	{ "shift", REAL, OPTIONAL, AT(distort.shift), 0, LENET5_SIDE, 0, "distort: at most N pixels, x and y apart (0)" },
	{ "elastic", REAL, OPTIONAL, AT(distort.elastic), 0, LENET5_SIDE, 0, "distort: a smooth field, pixels RMS (0)" },
	{ "elastic_sigma", REAL, OPTIONAL, AT(distort.elastic_sigma), 0.5, LENET5_SIDE, 4, "smoothness of that field, pixels (4)" },
};
static_assert(sizeof fields / sizeof fields[0] == RECIPE_N_FIELDS, "RECIPE_N_FIELDS counts the table");

struct recipe_field recipe_field_at(int i)
{
	return (struct recipe_field){ fields[i].name, fields[i].help };
}

static bool is_word(const struct field *f)
{
	return f->kind >= NETWORK;
}

// The i-th word that a field accepts, NULL past the last.
static const char *word_at(const struct field *f, int i)
{
	static const char *const *const words[] = { [SCHEDULE] = schedules, [LOSS] = losses, [OPTIMISER] = optimisers };
	const struct lenet5 *net = lenet5_at(i);
	return f->kind != NETWORK ? words[f->kind][i] : net ? net->name : NULL;
}

static double get(const struct field *f, const struct recipe *r)
{
	const void *value = (const char *)r + f->offset;
	if (f->kind == REAL)
		return *(const double *)value;
	return f->kind == COUNT ? (double)*(const uint32_t *)value : (double)*(const int *)value;
}

static void set(const struct field *f, struct recipe *r, double x)
{
	void *value = (char *)r + f->offset;
	if (f->kind == REAL)
		*(double *)value = x;
	else if (f->kind == COUNT)
		*(uint32_t *)value = (uint32_t)x;
	else
		*(int *)value = (int)x;
}

static int refuse(const struct field *f, const char *name, struct err *e)
{
	if (!is_word(f))
		return err_set(e, "%s: %s: want a %snumber from %.15g to %.15g", name, f->name, f->kind == COUNT ? "whole " : "",
			       f->low, f->high);
	char words[128] = "";
	for (int i = 0; word_at(f, i); i++) {
		size_t used = strlen(words);
		snprintf(words + used, sizeof words - used, "%s\"%s\"", i ? ", " : "", word_at(f, i));
	}
	return err_set(e, "%s: %s: want one of %s", name, f->name, words);
}

static int set_checked(const struct field *f, const char *name, struct recipe *r, double x, struct err *e)
{
	if (!(x >= f->low && x <= f->high) || (f->kind == COUNT && x != floor(x)))
		return refuse(f, name, e);
	set(f, r, x);
	return 0;
}

static int set_word(const struct field *f, const char *name, struct recipe *r, const char *word, struct err *e)
{
	for (int i = 0; word_at(f, i); i++) {
		if (strcmp(word_at(f, i), word) == 0) {
			set(f, r, i);
			return 0;
		}
	}
	return refuse(f, name, e);
}

static int set_json(const struct field *f, const char *name, struct recipe *r, const cJSON *item, struct err *e)
{
	if (is_word(f))
		return cJSON_IsString(item) ? set_word(f, name, r, item->valuestring, e) : refuse(f, name, e);
	return cJSON_IsNumber(item) ? set_checked(f, name, r, item->valuedouble, e) : refuse(f, name, e);
}

static int set_text(const struct field *f, struct recipe *r, const char *text, struct err *e)
{
	const char *name = "the command line";
	if (is_word(f))
		return set_word(f, name, r, text, e);
	char *end;
	double x = strtod(text, &end);
	return end != text && !*end ? set_checked(f, name, r, x, e) : refuse(f, name, e);
}

static int unknown_field(const char *name, const char *field, struct err *e)
{
	char names[400] = "";
	for (int i = 0; i < RECIPE_N_FIELDS; i++) {
		size_t used = strlen(names);
		snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", fields[i].name);
	}
	return err_set(e, "%s: unknown field \"%.40s\"; the fields are: %s", name, field, names);
}

static int set_object(const cJSON *object, const char *name, struct recipe *r, bool given[], struct err *e)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, object)
	{
		int i = 0;
		while (i < RECIPE_N_FIELDS && strcmp(item->string, fields[i].name) != 0)
			i++;
		if (i == RECIPE_N_FIELDS)
			return unknown_field(name, item->string, e);
		if (given[i])
			return err_set(e, "%s: %s is given twice", name, fields[i].name);
		if (set_json(&fields[i], name, r, item, e))
			return -1;
		given[i] = true;
	}
	return 0;
}

static bool is_default(const struct field *f, const struct recipe *r)
{
	return get(f, r) == f->preset;
}

// Refuses the field `name`, which has no meaning in this recipe, unless it has its default.
static int refuse_idle(const struct recipe *r, const char *file, const char *name, const char *why, struct err *e)
{
	for (int i = 0; i < RECIPE_N_FIELDS; i++)
		if (strcmp(fields[i].name, name) == 0 && !is_default(&fields[i], r))
			return err_set(e, "%s: %s has no effect with %s", file, name, why);
	return 0;
}

static int check_together(const struct recipe *r, const char *file, struct err *e)
{
	const struct lenet5 *net = lenet5_at(r->network);
	bool penalties = net->output == LENET5_PENALTIES;
	if (penalties != (r->loss != ENGINE_CROSS_ENTROPY))
		return err_set(e, "%s: loss: network %s is trained with %s", file, net->name,
			       penalties ? "\"mse\" or \"map\"" : "\"cross_entropy\"");
	if (r->optimiser == RECIPE_SDLM && !penalties)
		return err_set(e, "%s: optimiser: \"sdlm\" needs the curvature, which only network 1998 has", file);
	if (penalties && refuse_idle(r, file, "label_smoothing", "a loss of penalties", e))
		return -1;
	if (r->loss != ENGINE_MAP && refuse_idle(r, file, "j", "any loss but \"map\"", e))
		return -1;
	if (r->optimiser != RECIPE_SDLM && (refuse_idle(r, file, "mu", "any optimiser but \"sdlm\"", e) ||
					    refuse_idle(r, file, "curvature_pictures", "any optimiser but \"sdlm\"", e)))
		return -1;
	return 0;
}

cJSON *recipe_read_object(const char *text, const char *name, const char *example, struct err *e)
{
	const char *end = text;
	cJSON *object = cJSON_ParseWithOpts(text, &end, 1);
	if (cJSON_IsObject(object))
		return object;
	int line = 1;
	for (const char *c = text; !object && c < end; c++)
		line += *c == '\n';
	if (object)
		err_set(e, "%s: want a JSON object: %s", name, example);
	else
		err_set(e, "%s: line %d is not JSON", name, line);
	cJSON_Delete(object);
	return NULL;
}

int recipe_parse(const char *text, const char *name, const char *const overrides[RECIPE_N_FIELDS], struct recipe *recipe,
		 struct err *e)
{
	struct recipe r;
	bool given[RECIPE_N_FIELDS] = { false };
	int status = -1;
	for (int i = 0; i < RECIPE_N_FIELDS; i++)
		set(&fields[i], &r, fields[i].preset);

	cJSON *object = recipe_read_object(text, name, "{\"network\": \"relu\", ...}", e);
	if (!object)
		return -1;
	if (set_object(object, name, &r, given, e))
		goto out;
	for (int i = 0; i < RECIPE_N_FIELDS; i++) {
		if (overrides && overrides[i]) {
			if (set_text(&fields[i], &r, overrides[i], e))
				goto out;
		} else if (fields[i].presence == REQUIRED && !given[i]) {
			err_set(e, "%s: the field \"%s\" is missing (%s)", name, fields[i].name, fields[i].help);
			goto out;
		}
	}
	if (check_together(&r, name, e))
		goto out;
	*recipe = r;
	status = 0;
out:
	cJSON_Delete(object);
	return status;
}

int recipe_read_text(const char *path, char **text, struct err *e)
{
	enum { MAX_BYTES = 64 << 10 };
	uint8_t *bytes;
	size_t n;
	if (file_read(path, MAX_BYTES, &bytes, &n, e))
		return -1;
	*text = memchr(bytes, '\0', n) ? NULL : strndup((const char *)bytes, n);
	free(bytes);
	return *text ? 0 : err_set(e, "%s: not a text file", path);
}

int recipe_read(const char *path, const char *const overrides[RECIPE_N_FIELDS], struct recipe *recipe, struct err *e)
{
	char *text;
	if (recipe_read_text(path, &text, e))
		return -1;
	int status = recipe_parse(text, path, overrides, recipe, e);
	free(text);
	return status;
}

void recipe_value(const struct recipe *recipe, int i, char text[RECIPE_VALUE])
{
	const struct field *f = &fields[i];
	double x = get(f, recipe);
	if (is_word(f))
		snprintf(text, RECIPE_VALUE, "%s", word_at(f, (int)x));
	else
		snprintf(text, RECIPE_VALUE, "%.15g", x);
	if (!is_word(f) && strtod(text, NULL) != x) // 15 digits read better and are nearly always exact
		snprintf(text, RECIPE_VALUE, "%.17g", x);
}

void recipe_print(const struct recipe *recipe, char text[RECIPE_TEXT])
{
	size_t n = 0;
	for (int i = 0; i < RECIPE_N_FIELDS; i++) {
		const struct field *f = &fields[i];
		char value[RECIPE_VALUE];
		if (f->presence == RARE && is_default(f, recipe))
			continue;
		recipe_value(recipe, i, value);
		n += (size_t)snprintf(text + n, RECIPE_TEXT - n, is_word(f) ? "%s\"%s\":\"%s\"" : "%s\"%s\":%s", i ? "," : "{",
				      f->name, value);
		assert(n + 1 < RECIPE_TEXT);
	}
	text[n] = '}';
	text[n + 1] = '\0';
}

bool recipe_equal(const struct recipe *a, const struct recipe *b, struct err *e)
{
	for (int i = 0; i < RECIPE_N_FIELDS; i++) {
		char left[RECIPE_VALUE], right[RECIPE_VALUE];
		recipe_value(a, i, left);
		recipe_value(b, i, right);
		if (strcmp(left, right) != 0) {
			err_set(e, "%s is %s here and %s in the other", fields[i].name, left, right);
			return false;
		}
	}
	return true;
}

// The paper's schedule as a factor of lr: lr is 0.0005, so this is 0.0005 for two epochs, 0.0002 for three and so on.
static double published(uint64_t epoch)
{
	static const double parts[] = { 1, 1, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.02 };
	enum { N = sizeof parts / sizeof parts[0] };
	return parts[epoch < N ? epoch : N - 1];
}

float recipe_rate(const struct recipe *r, uint64_t step, uint64_t n_steps)
{
	double rate = r->lr;
	if (step < r->warmup)
		rate *= (double)(step + 1) / r->warmup;
	if (r->schedule == RECIPE_COSINE)
		rate *= 0.5 * (1 + cos(3.141592653589793 * (double)step / (double)n_steps));
	if (r->schedule == RECIPE_PUBLISHED)
		rate *= published(step / (n_steps / r->epochs));
	return (float)rate;
}
