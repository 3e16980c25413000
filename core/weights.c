// What lenet.bin means, on top of the container (core/safetensors.h): which tensors a network needs and which strings the
// file has to carry. Strings that repeat a field are written from the field and never kept in meta, so that they cannot
// disagree. The reader refuses a tensor that the network lacks before it looks for missing ones: the message for a state dict with
// other names then shows one of those names.
#include "core/weights.h"

#include "core/bytes.h"
#include "core/decimal.h"
#include "core/file.h"
#include "core/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_BYTES = 64, MAX_TENSORS = 64 };

// The sets of tensors that a file may hold, each for all parameters.
enum { PARAMS, MOMENTUM, CURVATURE, N_SETS };
static const char *const prefixes[N_SETS] = { "", "momentum.", "curvature." };

static float **set_of(struct weights *w, int set)
{
	return set == PARAMS ? &w->params : set == MOMENTUM ? &w->momentum : &w->curvature;
}

void weights_free(struct weights *w)
{
	for (int set = 0; set < N_SETS; set++)
		free(*set_of(w, set));
	for (int i = 0; i < w->n_meta; i++) {
		free(w->meta[i].key);
		free(w->meta[i].value);
	}
	*w = (struct weights){ 0 };
}

const char *weights_get(const struct weights *w, const char *key)
{
	for (int i = 0; i < w->n_meta; i++)
		if (strcmp(w->meta[i].key, key) == 0)
			return w->meta[i].value;
	return NULL;
}

static bool is_reserved(const char *key)
{
	static const char *const keys[] = { "format", "version", "network", "mean", "std", "temperature", "threshold", "sha256" };
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

int weights_set(struct weights *w, const char *key, const char *value, struct err *e)
{
	if (is_reserved(key))
		return err_set(e, "\"%s\" is written from what the file holds and cannot be set", key);
	int i = 0;
	while (i < w->n_meta && strcmp(w->meta[i].key, key) != 0)
		i++;
	if (i == WEIGHTS_MAX_META)
		return err_set(e, "no room for \"%.64s\": a file has at most %d strings", key, WEIGHTS_MAX_META);

	char *new_value = strdup(value);
	char *new_key = i == w->n_meta ? strdup(key) : w->meta[i].key;
	if (!new_value || !new_key) {
		free(new_value);
		if (i == w->n_meta)
			free(new_key);
		return err_set(e, "no memory for \"%.64s\"", key);
	}
	if (i == w->n_meta)
		w->n_meta++;
	else
		free(w->meta[i].value);
	w->meta[i] = (struct weights_meta){ new_key, new_value };
	return 0;
}

// Which set the tensor belongs to; *bare: its name there.
static int find_set(const char *name, const char **bare)
{
	for (int set = PARAMS + 1; set < N_SETS; set++) {
		size_t n = strlen(prefixes[set]);
		if (strncmp(name, prefixes[set], n) == 0) {
			*bare = name + n;
			return set;
		}
	}
	*bare = name;
	return PARAMS;
}

static const struct lenet5_tensor *find_tensor(const struct lenet5 *net, const char *name)
{
	for (int i = 0; i < net->n_tensors; i++)
		if (strcmp(net->tensors[i].name, name) == 0)
			return &net->tensors[i];
	return NULL;
}

// "[16,6,5,5]"
static void print_shape(char *to, size_t size, const size_t *shape, int n_dims)
{
	size_t used = (size_t)snprintf(to, size, "[");
	for (int i = 0; i < n_dims && used < size; i++)
		used += (size_t)snprintf(to + used, size - used, "%s%zu", i ? "," : "", shape[i]);
	if (used < size)
		snprintf(to + used, size - used, "]");
}

static int check_shape(const struct safetensors_tensor *t, const struct lenet5_tensor *want, struct err *e)
{
	size_t shape[4] = { 0 };
	bool same = t->n_dims == want->n_dims;
	for (int i = 0; i < want->n_dims; i++) {
		shape[i] = (size_t)want->shape[i];
		same = same && t->shape[i] == shape[i];
	}
	if (same)
		return 0;
	char wanted[128], found[256];
	print_shape(wanted, sizeof wanted, shape, want->n_dims);
	print_shape(found, sizeof found, t->shape, t->n_dims);
	return err_set(e, "%s: want shape %s, file has %s", t->name, wanted, found);
}

static int check_numbers(const struct lenet5 *net, const struct lenet5_tensor *t, const char *name, const float *numbers,
			 struct err *e)
{
	for (size_t i = 0; i < t->count; i++) {
		if (!isfinite(numbers[i]))
			return err_set(e, "%s: element %zu is %f; every number must be finite", name, i, (double)numbers[i]);
		if (numbers[i] != 0 && lenet5_is_unlinked(net, t, i))
			return err_set(
				e, "%s: element %zu is %g, and must be 0: in network %s map %zu of C3 does not see map %zu of S2",
				name, i, (double)numbers[i], net->name, i / 150, i % 150 / 25);
	}
	return 0;
}

// One of the file's sets of tensors. The caller frees *numbers.
static int load_set(const struct safetensors *s, const struct lenet5 *net, const char *prefix, float **numbers, struct err *e)
{
	float *all = malloc(net->n_params * sizeof *all);
	if (!all)
		return err_set(e, "no memory for %zu parameters", net->n_params);
	for (int i = 0; i < net->n_tensors; i++) {
		const struct lenet5_tensor *want = &net->tensors[i];
		char name[NAME_BYTES];
		snprintf(name, sizeof name, "%s%s", prefix, want->name);
		const struct safetensors_tensor *t = safetensors_find(s, name);
		if (t && strcmp(t->dtype, "F32") != 0) // before the shape, which may be right
			err_set(e, "%s: want dtype F32, file has %s", name, t->dtype);
		else if ((!t || check_shape(t, want, e) == 0) &&
			 safetensors_floats(s, name, want->count, all + want->offset, e) == 0 &&
			 check_numbers(net, want, name, all + want->offset, e) == 0)
			continue;
		free(all);
		return -1;
	}
	*numbers = all;
	return 0;
}

static int load_tensors(const struct safetensors *s, struct weights *w, struct err *e)
{
	bool there[N_SETS] = { [PARAMS] = true };
	for (int i = 0; i < s->n_tensors; i++) {
		const char *name = s->tensors[i].name, *bare;
		there[find_set(name, &bare)] = true;
		if (!find_tensor(w->net, bare))
			return err_set(e, "tensor \"%.64s\" does not belong to network %s, whose first is %s", name, w->net->name,
				       w->net->tensors[0].name);
	}
	for (int set = 0; set < N_SETS; set++)
		if (there[set] && load_set(s, w->net, prefixes[set], set_of(w, set), e))
			return -1;
	return 0;
}

// A number that the metadata may give; `otherwise` if it does not.
static int load_number(const struct safetensors *s, const char *key, float otherwise, float *number, struct err *e)
{
	const char *text = safetensors_get(s, key);
	char *end = NULL;
	*number = text ? strtof(text, &end) : otherwise;
	if (text && (end == text || *end != '\0' || !isfinite(*number)))
		return err_set(e, "__metadata__: %s is \"%.64s\", not a finite number", key, text);
	return 0;
}

static int load_decimal(const struct safetensors *s, const char *key, double min, double max, struct weights *w, float *number,
			struct err *e)
{
	const char *text = safetensors_get(s, key);
	if (text && !decimal_parse(text, min, max, number))
		return err_set(e, "__metadata__: %s is \"%.64s\", not a decimal number from %g to %g", key, text, min, max);
	w->is_calibrated |= text != NULL;
	return 0;
}

static int load_calibration(const struct safetensors *s, struct weights *w, struct err *e)
{
	struct lenet5_calibration *c = &w->calibration;
	*c = lenet5_uncalibrated;
	return load_decimal(s, "temperature", LENET5_MIN_TEMPERATURE, LENET5_MAX_TEMPERATURE, w, &c->temperature, e) ||
			       load_decimal(s, "threshold", 0, 1, w, &c->threshold, e)
		       ? -1
		       : 0;
}

static int choose_network(const struct safetensors *s, const char *named, struct weights *w, struct err *e)
{
	const char *says = safetensors_get(s, "network");
	if (!says && !named)
		return err_set(e, "does not say which network it is for: name it with --network");
	if (says && named && strcmp(says, named) != 0)
		return err_set(e, "is for network \"%.40s\", not \"%.40s\"", says, named);
	w->net = lenet5_find(says ? says : named, e);
	return w->net ? 0 : -1;
}

static int load_meta(const struct safetensors *s, struct weights *w, struct err *e)
{
	const char *format = safetensors_get(s, "format"), *version = safetensors_get(s, "version");
	if (format && version && strcmp(format, "lenet") == 0 && strcmp(version, "1") != 0)
		return err_set(e, "has version \"%.16s\" of the format; this program reads version 1", version);

	const char *sha256 = safetensors_get(s, "sha256");
	char hex[BYTES_SHA256_HEX];
	bytes_sha256(s->data, s->n_data, hex, sizeof hex);
	if (sha256 && strcasecmp(sha256, hex) != 0)
		return err_set(e, "is damaged: the sha256 of its data is %.12s…, the file says %.12s…", hex, sha256);

	if (load_number(s, "mean", w->net->mean, &w->mean, e) || load_number(s, "std", w->net->std, &w->std, e))
		return -1;
	if (!(w->std > 0))
		return err_set(e, "__metadata__: std is %g, and must be above 0", (double)w->std);
	if (load_calibration(s, w, e))
		return -1;
	for (int i = 0; i < s->n_meta; i++)
		if (!is_reserved(s->meta[i].key) && weights_set(w, s->meta[i].key, s->meta[i].value, e))
			return -1;
	return 0;
}

static int load(const struct safetensors *s, const char *network, struct weights *w, struct err *e)
{
	struct weights got = { 0 };
	if (choose_network(s, network, &got, e) || load_meta(s, &got, e) || load_tensors(s, &got, e)) {
		weights_free(&got);
		return -1;
	}
	*w = got;
	return 0;
}

int weights_parse(const void *bytes, size_t n, const char *network, struct weights *w, struct err *e)
{
	struct safetensors s;
	if (safetensors_parse(bytes, n, &s, e))
		return -1;
	int rc = load(&s, network, w, e);
	safetensors_free(&s);
	return rc;
}

int weights_read(const char *path, const char *network, struct weights *w, struct err *e)
{
	struct safetensors s;
	if (safetensors_read(path, WEIGHTS_MAX_BYTES, &s, e))
		return -1;
	int rc = load(&s, network, w, e);
	safetensors_free(&s);
	return rc ? err_prefix(e, "%s", path) : 0;
}

// The list of one set's tensors, whose numbers go to `data` in the file's byte order. names: (n_tensors, NAME_BYTES).
static int list_set(const struct lenet5 *net, const char *prefix, const float *numbers, uint8_t *data,
		    struct safetensors_tensor *list, char (*names)[NAME_BYTES], struct err *e)
{
	for (int i = 0; i < net->n_tensors; i++) {
		const struct lenet5_tensor *t = &net->tensors[i];
		snprintf(names[i], NAME_BYTES, "%s%s", prefix, t->name);
		if (check_numbers(net, t, names[i], numbers + t->offset, e))
			return -1;
		list[i] = (struct safetensors_tensor){
			.name = names[i],
			.dtype = "F32",
			.n_dims = t->n_dims,
			.n_bytes = 4 * t->count,
			.data = data,
		};
		for (int d = 0; d < t->n_dims; d++)
			list[i].shape[d] = (size_t)t->shape[d];
		for (size_t k = 0; k < t->count; k++, data += 4) {
			uint32_t bits;
			memcpy(&bits, &numbers[t->offset + k], sizeof bits);
			for (int b = 0; b < 4; b++)
				data[b] = (uint8_t)(bits >> 8 * b);
		}
	}
	return 0;
}

// The strings as they go into the file. text: where the fields are printed.
struct strings {
	struct safetensors_meta list[WEIGHTS_MAX_META + 8];
	char mean[32], std[32], temperature[DECIMAL_BYTES], threshold[DECIMAL_BYTES], sha256[BYTES_SHA256_HEX];
};

static int list_strings(const struct weights *w, const uint8_t *data, size_t n_data, struct strings *s)
{
	int n = 0;
	snprintf(s->mean, sizeof s->mean, "%.9g", (double)w->mean);
	snprintf(s->std, sizeof s->std, "%.9g", (double)w->std);
	bytes_sha256(data, n_data, s->sha256, sizeof s->sha256);
	s->list[n++] = (struct safetensors_meta){ "format", "lenet" };
	s->list[n++] = (struct safetensors_meta){ "version", "1" };
	s->list[n++] = (struct safetensors_meta){ "network", w->net->name };
	s->list[n++] = (struct safetensors_meta){ "mean", s->mean };
	s->list[n++] = (struct safetensors_meta){ "std", s->std };
	if (w->is_calibrated) {
		decimal_print(w->calibration.temperature, s->temperature);
		decimal_print(w->calibration.threshold, s->threshold);
		s->list[n++] = (struct safetensors_meta){ "temperature", s->temperature };
		s->list[n++] = (struct safetensors_meta){ "threshold", s->threshold };
	}
	for (int i = 0; i < w->n_meta; i++)
		s->list[n++] = (struct safetensors_meta){ w->meta[i].key, w->meta[i].value };
	s->list[n++] = (struct safetensors_meta){ "sha256", s->sha256 };
	return n;
}

static int format(const struct weights *w, uint8_t **bytes, size_t *n, struct err *e)
{
	struct safetensors_tensor tensors[MAX_TENSORS];
	char names[MAX_TENSORS][NAME_BYTES];
	struct strings strings;
	const struct lenet5 *net = w->net;
	const float *const sets[N_SETS] = { w->params, w->momentum, w->curvature };
	size_t n_set = 4 * net->n_params, n_data = 0;
	int n_tensors = 0, rc = -1;
	uint8_t *data = malloc(N_SETS * n_set);
	if (!data)
		return err_set(e, "no memory for %zu bytes of weights", N_SETS * n_set);
	for (int set = 0; set < N_SETS; set++) {
		if (!sets[set])
			continue;
		if (list_set(net, prefixes[set], sets[set], data + n_data, tensors + n_tensors, names + n_tensors, e))
			goto out;
		n_tensors += net->n_tensors;
		n_data += n_set;
	}
	int n_meta = list_strings(w, data, n_data, &strings);
	rc = safetensors_format(strings.list, n_meta, tensors, n_tensors, bytes, n, e);
out:
	free(data);
	return rc;
}

int weights_write(const char *path, const struct weights *w, struct err *e)
{
	uint8_t *bytes;
	size_t n;
	if (format(w, &bytes, &n, e))
		return err_prefix(e, "%s: not written", path);
	int rc = file_write(path, bytes, n, e);
	free(bytes);
	return rc;
}
