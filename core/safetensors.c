// The header is parsed by cJSON and kept as its tree, which owns every name and string; what matters of it is copied into
// arrays that have been checked. cJSON is lenient where this format is not, so control characters, UTF-8, what follows the
// object, and names that stand twice are checked here. Everything is bounded before it is multiplied or allocated:
// length of the header, numbers of entries and dimensions, then each size against the data that is there.
#include "core/safetensors.h"
#include "core/file.h"
#include "core/text.h"

#include <cjson/cJSON.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	size_t bytes;
} dtypes[] = {
	{ "F32", 4 }, { "F64", 8 }, { "F16", 2 }, { "BF16", 2 }, { "F8_E5M2", 1 }, { "F8_E4M3", 1 }, { "BOOL", 1 }, { "I8", 1 },
	{ "U8", 1 },  { "I16", 2 }, { "U16", 2 }, { "I32", 4 },  { "U32", 4 },     { "I64", 8 },     { "U64", 8 },
};

// 0 if there is no such type.
static size_t dtype_size(const char *name)
{
	for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
		if (strcmp(name, dtypes[i].name) == 0)
			return dtypes[i].bytes;
	return 0;
}

// Valid UTF-8 without control characters other than JSON's white space.
static bool is_text(const uint8_t *s, size_t n)
{
	for (size_t i = 0, length; i < n; i += length) {
		length = text_utf8_length(s + i, n - i);
		if (length == 0 || (s[i] < 0x20 && s[i] != '\t' && s[i] != '\n' && s[i] != '\r'))
			return false;
	}
	return true;
}

static bool read_size(const cJSON *number, size_t *value)
{
	// Up to 2^53 every whole number is one double.
	if (!cJSON_IsNumber(number) || !(number->valuedouble >= 0 && number->valuedouble <= 0x1p53))
		return false;
	*value = (size_t)number->valuedouble;
	return (double)*value == number->valuedouble;
}

// The children of an object, counted and their names found to be different ones; -1 otherwise.
static int count_entries(const cJSON *object, int max, struct err *e)
{
	int n = 0;
	const cJSON *a, *b;
	cJSON_ArrayForEach(a, object)
	{
		if (++n > max)
			return err_set(e, "the header has more than %d entries", max);
		for (b = object->child; b != a; b = b->next)
			if (strcmp(a->string, b->string) == 0)
				return err_set(e, "the header has \"%.64s\" twice", a->string);
	}
	return n;
}

static int parse_shape(const cJSON *shape, struct safetensors_tensor *t, struct err *e)
{
	if (!cJSON_IsArray(shape))
		return err_set(e, "%.64s: has no shape", t->name);
	t->count = 1;
	const cJSON *dim;
	cJSON_ArrayForEach(dim, shape)
	{
		if (t->n_dims == SAFETENSORS_MAX_DIMS)
			return err_set(e, "%.64s: has more than %d dimensions", t->name, SAFETENSORS_MAX_DIMS);
		size_t *size = &t->shape[t->n_dims++];
		if (!read_size(dim, size) || __builtin_mul_overflow(t->count, *size, &t->count))
			return err_set(e, "%.64s: dimension %d of its shape is not a possible size", t->name, t->n_dims);
	}
	return 0;
}

static int parse_tensor(const cJSON *entry, const struct safetensors *s, struct safetensors_tensor *t, struct err *e)
{
	t->name = entry->string;
	const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(entry, "dtype");
	const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
	if (!cJSON_IsObject(entry) || !cJSON_IsString(dtype))
		return err_set(e, "%.64s: has no dtype", t->name);
	t->dtype = dtype->valuestring;
	size_t size = dtype_size(t->dtype);
	if (size == 0)
		return err_set(e, "%.64s: dtype \"%.16s\" is unknown", t->name, t->dtype);
	if (parse_shape(cJSON_GetObjectItemCaseSensitive(entry, "shape"), t, e))
		return -1;

	size_t begin, end, want;
	if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 || !read_size(offsets->child, &begin) ||
	    !read_size(offsets->child->next, &end) || begin > end)
		return err_set(e, "%.64s: its data_offsets are not a begin and an end", t->name);
	if (end > s->n_data)
		return err_set(e, "%.64s: its data ends at byte %zu, but the file has only %zu bytes of data: cut short?", t->name,
			       end, s->n_data);
	t->n_bytes = end - begin;
	t->data = s->data + begin;
	if (__builtin_mul_overflow(t->count, size, &want) || want != t->n_bytes)
		return err_set(e, "%.64s: its %zu bytes of data are not what its shape and dtype %s need", t->name, t->n_bytes,
			       t->dtype);
	return 0;
}

static int by_data(const void *a, const void *b)
{
	const struct safetensors_tensor *s = a, *t = b;
	if (s->data != t->data)
		return s->data < t->data ? -1 : 1;
	return (s->n_bytes > t->n_bytes) - (s->n_bytes < t->n_bytes);
}

// One tensor after the other from the first byte of the data to the last.
static int check_layout(const struct safetensors *s, struct err *e)
{
	const uint8_t *at = s->data;
	for (int i = 0; i < s->n_tensors; i++) {
		const struct safetensors_tensor *t = &s->tensors[i];
		if (t->data != at)
			return err_set(e, "%.64s: its data %s what comes before it", t->name,
				       t->data < at ? "overlaps" : "leaves a gap to");
		at += t->n_bytes;
	}
	size_t rest = s->n_data - (size_t)(at - s->data);
	if (rest)
		return err_set(e, "%zu bytes after the last tensor belong to no tensor", rest);
	return 0;
}

static int parse_meta(const cJSON *object, struct safetensors *s, struct err *e)
{
	if (!cJSON_IsObject(object))
		return err_set(e, "__metadata__ is not an object of strings");
	int n = count_entries(object, SAFETENSORS_MAX_META, e);
	if (n < 0)
		return err_prefix(e, "__metadata__");
	s->meta = calloc((size_t)n + 1, sizeof *s->meta);
	if (!s->meta)
		return err_set(e, "no memory for the metadata");
	const cJSON *entry;
	cJSON_ArrayForEach(entry, object)
	{
		if (!cJSON_IsString(entry))
			return err_set(e, "__metadata__: the value of \"%.64s\" is not a string", entry->string);
		s->meta[s->n_meta++] = (struct safetensors_meta){ entry->string, entry->valuestring };
	}
	return 0;
}

static int parse_entries(struct safetensors *s, struct err *e)
{
	int n = count_entries(s->header, SAFETENSORS_MAX_TENSORS + 1, e);
	if (n < 0)
		return -1;
	s->tensors = calloc((size_t)n + 1, sizeof *s->tensors);
	if (!s->tensors)
		return err_set(e, "no memory for the list of tensors");
	const cJSON *entry;
	cJSON_ArrayForEach(entry, s->header)
	{
		if (strcmp(entry->string, "__metadata__") == 0) {
			if (parse_meta(entry, s, e))
				return -1;
		} else if (parse_tensor(entry, s, &s->tensors[s->n_tensors++], e)) {
			return -1;
		}
	}
	qsort(s->tensors, (size_t)s->n_tensors, sizeof *s->tensors, by_data);
	return check_layout(s, e);
}

// Bounds the header and parses its JSON.
static int parse_header(const uint8_t *bytes, size_t n, struct safetensors *s, struct err *e)
{
	static const char hint[] = "not a safetensors file, or a damaged one (from PyTorch: safetensors.torch.save_file)";
	uint64_t length = 0;
	if (n < 8)
		return err_set(e, "%zu bytes: %s", n, hint);
	for (int i = 7; i >= 0; i--)
		length = length << 8 | bytes[i];
	const uint8_t *text = bytes + 8;
	if (length > n - 8 || length == 0 || text[0] != '{')
		return err_set(e, "%s", hint);
	if (length > SAFETENSORS_MAX_HEADER)
		return err_set(e, "the header's %llu bytes are more than the limit of %d", (unsigned long long)length,
			       SAFETENSORS_MAX_HEADER);
	if (!is_text(text, length))
		return err_set(e, "the header is not UTF-8 text");

	const char *end = NULL;
	s->header = cJSON_ParseWithLengthOpts((const char *)text, length, &end, 0);
	if (!s->header)
		return err_set(e, "the header is not JSON (byte %td)", end ? end - (const char *)bytes : 8);
	for (; end < (const char *)text + length; end++)
		if (*end != ' ')
			return err_set(e, "the header has more than one JSON object (byte %td)", end - (const char *)bytes);
	s->data = text + length;
	s->n_data = n - 8 - length;
	return 0;
}

int safetensors_parse(const void *bytes, size_t n, struct safetensors *s, struct err *e)
{
	struct safetensors got = { 0 };
	if (parse_header(bytes, n, &got, e) || parse_entries(&got, e)) {
		safetensors_free(&got);
		return -1;
	}
	*s = got;
	return 0;
}

int safetensors_read(const char *path, size_t max_bytes, struct safetensors *s, struct err *e)
{
	uint8_t *bytes;
	size_t n;
	if (file_read(path, max_bytes, &bytes, &n, e))
		return -1;
	if (safetensors_parse(bytes, n, s, e)) {
		free(bytes);
		return err_prefix(e, "%s", path);
	}
	s->file = bytes;
	return 0;
}

void safetensors_free(struct safetensors *s)
{
	free(s->tensors);
	free(s->meta);
	free(s->file);
	cJSON_Delete(s->header);
	*s = (struct safetensors){ 0 };
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *s, const char *name)
{
	for (int i = 0; i < s->n_tensors; i++)
		if (strcmp(s->tensors[i].name, name) == 0)
			return &s->tensors[i];
	return NULL;
}

const char *safetensors_get(const struct safetensors *s, const char *key)
{
	for (int i = 0; i < s->n_meta; i++)
		if (strcmp(s->meta[i].key, key) == 0)
			return s->meta[i].value;
	return NULL;
}

int safetensors_floats(const struct safetensors *s, const char *name, size_t count, float *out, struct err *e)
{
	const struct safetensors_tensor *t = safetensors_find(s, name);
	if (!t)
		return err_set(e, "%s is missing", name);
	if (strcmp(t->dtype, "F32") != 0)
		return err_set(e, "%s: want dtype F32, file has %s", name, t->dtype);
	if (t->count != count)
		return err_set(e, "%s: want %zu numbers, file has %zu", name, count, t->count);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *p = t->data + 4 * i;
		uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		memcpy(&out[i], &bits, sizeof bits);
	}
	return 0;
}

// NULL if memory ran out.
static cJSON *make_entry(const struct safetensors_tensor *t, size_t begin)
{
	cJSON *entry = cJSON_CreateObject();
	bool ok = cJSON_AddStringToObject(entry, "dtype", t->dtype);
	cJSON *shape = cJSON_AddArrayToObject(entry, "shape");
	for (int i = 0; i < t->n_dims; i++)
		ok = cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)t->shape[i])) && ok;
	cJSON *offsets = cJSON_AddArrayToObject(entry, "data_offsets");
	ok = cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)begin)) && ok;
	ok = cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)(begin + t->n_bytes))) && ok;
	if (ok)
		return entry;
	cJSON_Delete(entry);
	return NULL;
}

// The header's text, or NULL if memory ran out.
static char *make_header(const struct safetensors_meta *meta, int n_meta, const struct safetensors_tensor *tensors, int n_tensors)
{
	cJSON *header = cJSON_CreateObject();
	cJSON *strings = cJSON_AddObjectToObject(header, "__metadata__");
	bool ok = strings;
	for (int i = 0; i < n_meta; i++)
		ok = ok && cJSON_AddStringToObject(strings, meta[i].key, meta[i].value);
	size_t begin = 0;
	for (int i = 0; i < n_tensors; i++) {
		cJSON *entry = ok ? make_entry(&tensors[i], begin) : NULL;
		ok = ok && cJSON_AddItemToObject(header, tensors[i].name, entry);
		if (!ok)
			cJSON_Delete(entry);
		begin += tensors[i].n_bytes;
	}
	char *text = ok ? cJSON_PrintUnformatted(header) : NULL;
	cJSON_Delete(header);
	return text;
}

int safetensors_format(const struct safetensors_meta *meta, int n_meta, const struct safetensors_tensor *tensors, int n_tensors,
		       uint8_t **bytes, size_t *n, struct err *e)
{
	char *header = make_header(meta, n_meta, tensors, n_tensors);
	if (!header)
		return err_set(e, "no memory for the header");
	size_t text = strlen(header), length = (text + 7) / 8 * 8, n_data = 0;
	for (int i = 0; i < n_tensors; i++)
		n_data += tensors[i].n_bytes;
	uint8_t *file = malloc(8 + length + n_data);
	int rc = -1;
	if (!is_text((const uint8_t *)header, text))
		err_set(e, "a name or string for the header is not UTF-8 text");
	else if (length > SAFETENSORS_MAX_HEADER)
		err_set(e, "the header's %zu bytes are more than the limit of %d", length, SAFETENSORS_MAX_HEADER);
	else if (!file)
		err_set(e, "no memory for the file's %zu bytes", 8 + length + n_data);
	else
		rc = 0;
	if (rc) {
		free(file);
		free(header);
		return -1;
	}

	for (int i = 0; i < 8; i++)
		file[i] = (uint8_t)((uint64_t)length >> 8 * i);
	memset(file + 8, ' ', length);
	memcpy(file + 8, header, text);
	uint8_t *to = file + 8 + length;
	for (int i = 0; i < n_tensors; i++) {
		memcpy(to, tensors[i].data, tensors[i].n_bytes);
		to += tensors[i].n_bytes;
	}
	free(header);
	*bytes = file;
	*n = 8 + length + n_data;
	return 0;
}
