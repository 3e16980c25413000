// One table says of every field what it is called, where it lies, what it accepts and what it is for; JSON in, JSON out, the
// command line, its help and the comparison are loops over it. A new field is a new line.
#include "models/recipe.h"

#include "core/file.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { COUNT, REAL, CHOICE };

struct field {
	struct recipe_field public;
	enum kind kind;
	bool required;
	bool rare; // not printed where it is as if it were not given
	size_t offset;
	double low, high; // of numbers, both allowed
	const char *(*choice)(int i); // of a CHOICE: the i-th word, NULL past the last
	double missing; // what it is where it is not given
};

static const char *network_name(int i)
{
	const struct lenet5 *net = lenet5_at(i);
	return net ? net->name : NULL;
}

static const char *schedule_name(int i)
{
	static const char *const names[] = {
		[RECIPE_CONSTANT] = "constant", [RECIPE_COSINE] = "cosine", [RECIPE_PUBLISHED] = "published", NULL
	};
	return names[i];
}

static const char *loss_name(int i)
{
	static const char *const names[] = {
		[ENGINE_CROSS_ENTROPY] = "cross_entropy", [ENGINE_MSE] = "mse", [ENGINE_MAP] = "map", NULL
	};
	return names[i];
}

static const char *optimiser_name(int i)
{
	static const char *const names[] = { [RECIPE_SGD] = "sgd", [RECIPE_SDLM] = "sdlm", NULL };
	return names[i];
}

#define AT(member) offsetof(struct recipe, member)
#define RANGE(from, to) .low = (from), .high = (to)
static const struct field fields[] = {
	{ { "network", "which network" }, CHOICE, true, false, AT(network), .choice = network_name },
	{ { "epochs", "passes over the training pictures" }, COUNT, true, false, AT(epochs), RANGE(1, 100000) },
	{ { "batch", "pictures a step" }, COUNT, true, false, AT(batch), RANGE(1, 16384) },
	{ { "lr", "learning rate (its highest, with a schedule)" }, REAL, true, false, AT(lr), RANGE(0, 100) },
	{ { "momentum", "v = momentum v + gradient" }, REAL, false, false, AT(momentum), RANGE(0, 0.9999) },
	{ { "weight_decay", "gradient += weight_decay x parameter" }, REAL, false, false, AT(weight_decay), RANGE(0, 1) },
	{ { "schedule", "of the rate: constant, cosine to 0, or published" },
	  CHOICE,
	  false,
	  false,
	  AT(schedule),
	  .choice = schedule_name },
	{ { "warmup", "steps in which the rate grows to lr" }, COUNT, false, false, AT(warmup), RANGE(0, 1e9) },
	{ { "label_smoothing", "of the target, spread over all digits" }, REAL, false, false, AT(label_smoothing), RANGE(0, 0.9) },
	{ { "loss", "cross_entropy; for network 1998 mse or map" }, CHOICE, false, true, AT(loss), .choice = loss_name },
	{ { "j", "of map: the penalty of the class rubbish" }, REAL, false, true, AT(j), RANGE(0, 1000), .missing = 0.1 },
	{ { "optimiser", "sgd, or sdlm: rates from the curvature" }, CHOICE, false, true, AT(optimiser), .choice = optimiser_name },
	{ { "mu", "of sdlm: a parameter's rate is rate/(mu + curvature)" },
	  REAL,
	  false,
	  true,
	  AT(mu),
	  RANGE(1e-6, 100),
	  .missing = 0.02 },
	{ { "curvature_pictures", "of sdlm: estimate it on so many" },
	  COUNT,
	  false,
	  true,
	  AT(curvature_pictures),
	  RANGE(1, 1e9),
	  .missing = 500 },
	{ { "seed", "of the initial weights, the order and the distortions" }, COUNT, true, false, AT(seed), RANGE(0, UINT32_MAX) },
	{ { "train_pictures", "train on the first so many; 0: on all" }, COUNT, false, false, AT(train_pictures), RANGE(0, 1e9) },
	{ { "validation", "hold out the last so many and measure those" }, COUNT, false, false, AT(validation), RANGE(0, 1e9) },
	{ { "rotate", "distort: degrees either way, at most" }, REAL, false, false, AT(distort.rotate), RANGE(0, 180) },
	{ { "scale", "distort: fraction smaller or larger, x and y apart" }, REAL, false, false, AT(distort.scale), RANGE(0, 0.9) },
	{ { "shear", "distort: pixels sideways a pixel down" }, REAL, false, false, AT(distort.shear), RANGE(0, 2) },
	{ { "shift", "distort: pixels, x and y apart" }, REAL, false, false, AT(distort.shift), RANGE(0, LENET5_SIDE) },
	{ { "elastic", "distort: a smooth field, pixels (RMS)" }, REAL, false, false, AT(distort.elastic), RANGE(0, LENET5_SIDE) },
	{ { "elastic_sigma", "its smoothness" },
	  REAL,
	  false,
	  false,
	  AT(distort.elastic_sigma),
	  RANGE(0.5, LENET5_SIDE),
	  .missing = 4 },
};
static_assert(sizeof fields / sizeof fields[0] == RECIPE_N_FIELDS, "RECIPE_N_FIELDS counts the table");

struct recipe_field recipe_field_at(int i)
{
	return fields[i].public;
}

static void *place(const struct field *f, struct recipe *r)
{
	return (char *)r + f->offset;
}

static const void *value_of(const struct field *f, const struct recipe *r)
{
	return (const char *)r + f->offset;
}

static void set_number(const struct field *f, struct recipe *r, double x)
{
	if (f->kind == REAL)
		*(double *)place(f, r) = x;
	else if (f->kind == COUNT)
		*(uint32_t *)place(f, r) = (uint32_t)x;
	else
		*(int *)place(f, r) = (int)x;
}

static int refuse(const struct field *f, const char *name, struct err *e)
{
	if (f->kind != CHOICE)
		return err_set(e, "%s: %s: want a %snumber from %.15g to %.15g", name, f->public.name,
			       f->kind == COUNT ? "whole " : "", f->low, f->high);
	char words[128] = "";
	for (int i = 0; f->choice(i); i++) {
		size_t used = strlen(words);
		snprintf(words + used, sizeof words - used, "%s\"%s\"", i ? ", " : "", f->choice(i));
	}
	return err_set(e, "%s: %s: want one of %s", name, f->public.name, words);
}

static int set_checked(const struct field *f, const char *name, struct recipe *r, double x, struct err *e)
{
	if (!(x >= f->low && x <= f->high) || (f->kind == COUNT && x != floor(x)))
		return refuse(f, name, e);
	set_number(f, r, x);
	return 0;
}

static int set_word(const struct field *f, const char *name, struct recipe *r, const char *word, struct err *e)
{
	for (int i = 0; f->choice(i); i++) {
		if (strcmp(f->choice(i), word) == 0) {
			set_number(f, r, i);
			return 0;
		}
	}
	return refuse(f, name, e);
}

static int set_json(const struct field *f, const char *name, struct recipe *r, const cJSON *item, struct err *e)
{
	if (f->kind == CHOICE)
		return cJSON_IsString(item) ? set_word(f, name, r, item->valuestring, e) : refuse(f, name, e);
	return cJSON_IsNumber(item) ? set_checked(f, name, r, item->valuedouble, e) : refuse(f, name, e);
}

static int set_text(const struct field *f, struct recipe *r, const char *text, struct err *e)
{
	const char *name = "the command line";
	if (f->kind == CHOICE)
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
		snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", fields[i].public.name);
	}
	return err_set(e, "%s: there is no field \"%.40s\"; there are: %s", name, field, names);
}

static int set_object(const cJSON *object, const char *name, struct recipe *r, bool given[], struct err *e)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, object)
	{
		int i = 0;
		while (i < RECIPE_N_FIELDS && strcmp(item->string, fields[i].public.name) != 0)
			i++;
		if (i == RECIPE_N_FIELDS)
			return unknown_field(name, item->string, e);
		if (given[i])
			return err_set(e, "%s: %s is given twice", name, fields[i].public.name);
		if (set_json(&fields[i], name, r, item, e))
			return -1;
		given[i] = true;
	}
	return 0;
}

static bool is_missing(const struct field *f, const struct recipe *r)
{
	struct recipe missing;
	set_number(f, &missing, f->missing);
	size_t size = f->kind == REAL ? sizeof(double) : sizeof(int);
	return memcmp(value_of(f, r), value_of(f, &missing), size) == 0;
}

// The field `name` says nothing here: an error if it was given another value than it has by itself.
static int refuse_idle(const struct recipe *r, const char *file, const char *name, const char *why, struct err *e)
{
	for (int i = 0; i < RECIPE_N_FIELDS; i++)
		if (strcmp(fields[i].public.name, name) == 0 && !is_missing(&fields[i], r))
			return err_set(e, "%s: %s is of no use with %s", file, name, why);
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
		return err_set(e, "%s: optimiser: the curvature that \"sdlm\" needs is known of network 1998 alone", file);
	if (penalties && refuse_idle(r, file, "label_smoothing", "a loss of penalties", e))
		return -1;
	if (r->loss != ENGINE_MAP && refuse_idle(r, file, "j", "any loss but \"map\"", e))
		return -1;
	if (r->optimiser != RECIPE_SDLM && (refuse_idle(r, file, "mu", "any optimiser but \"sdlm\"", e) ||
					    refuse_idle(r, file, "curvature_pictures", "any optimiser but \"sdlm\"", e)))
		return -1;
	return 0;
}

int recipe_parse(const char *text, const char *name, const char *const overrides[RECIPE_N_FIELDS], struct recipe *recipe,
		 struct err *e)
{
	struct recipe r;
	bool given[RECIPE_N_FIELDS] = { false };
	int status = -1;
	for (int i = 0; i < RECIPE_N_FIELDS; i++)
		set_number(&fields[i], &r, fields[i].missing);

	const char *end = text;
	cJSON *object = cJSON_ParseWithOpts(text, &end, 1);
	if (!object) {
		int line = 1;
		for (const char *c = text; c < end; c++)
			line += *c == '\n';
		err_set(e, "%s: line %d is not JSON as it should be", name, line);
		goto out;
	}
	if (!cJSON_IsObject(object)) {
		err_set(e, "%s: want a JSON object: {\"network\": \"relu\", ...}", name);
		goto out;
	}
	if (set_object(object, name, &r, given, e))
		goto out;
	for (int i = 0; i < RECIPE_N_FIELDS; i++) {
		if (overrides && overrides[i]) {
			if (set_text(&fields[i], &r, overrides[i], e))
				goto out;
		} else if (fields[i].required && !given[i]) {
			err_set(e, "%s: the field \"%s\" is missing (%s)", name, fields[i].public.name, fields[i].public.help);
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

int recipe_read(const char *path, const char *const overrides[RECIPE_N_FIELDS], struct recipe *recipe, struct err *e)
{
	enum { MAX_BYTES = 64 << 10 };
	uint8_t *bytes;
	size_t n;
	if (file_read(path, MAX_BYTES, &bytes, &n, e))
		return -1;
	char *text = memchr(bytes, '\0', n) ? NULL : strndup((const char *)bytes, n);
	int status = text ? recipe_parse(text, path, overrides, recipe, e) : err_set(e, "%s: not a text", path);
	free(text);
	free(bytes);
	return status;
}

static void print_value(const struct field *f, const struct recipe *r, char *text, size_t size)
{
	if (f->kind == CHOICE) {
		snprintf(text, size, "\"%s\"", f->choice(*(const int *)value_of(f, r)));
	} else if (f->kind == COUNT) {
		snprintf(text, size, "%u", *(const uint32_t *)value_of(f, r));
	} else {
		double x = *(const double *)value_of(f, r);
		snprintf(text, size, "%.15g", x);
		if (strtod(text, NULL) != x) // the shorter one reads better and is nearly always enough
			snprintf(text, size, "%.17g", x);
	}
}

void recipe_value(const struct recipe *recipe, int i, char text[RECIPE_VALUE])
{
	const struct field *f = &fields[i];
	if (f->kind == CHOICE)
		snprintf(text, RECIPE_VALUE, "%s", f->choice(*(const int *)value_of(f, recipe)));
	else
		print_value(f, recipe, text, RECIPE_VALUE);
}

void recipe_print(const struct recipe *recipe, char text[RECIPE_TEXT])
{
	size_t n = 0;
	for (int i = 0; i < RECIPE_N_FIELDS; i++) {
		char value[64];
		if (fields[i].rare && is_missing(&fields[i], recipe))
			continue;
		print_value(&fields[i], recipe, value, sizeof value);
		n += (size_t)snprintf(text + n, RECIPE_TEXT - n, "%s\"%s\":%s", i ? "," : "{", fields[i].public.name, value);
		assert(n + 1 < RECIPE_TEXT);
	}
	text[n] = '}';
	text[n + 1] = '\0';
}

bool recipe_equal(const struct recipe *a, const struct recipe *b, struct err *e)
{
	for (int i = 0; i < RECIPE_N_FIELDS; i++) {
		char left[64], right[64];
		print_value(&fields[i], a, left, sizeof left);
		print_value(&fields[i], b, right, sizeof right);
		if (strcmp(left, right) != 0) {
			err_set(e, "%s is %s here and %s there", fields[i].public.name, left, right);
			return false;
		}
	}
	return true;
}

// Of the first epochs, the later ones having the last: 0.0005 twice, 0.0002 three times and so on.
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
