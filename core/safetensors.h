// safetensors: the container of lenet.bin and of tests/golden/: named tensors and strings, one after the other
// (https://huggingface.co/docs/safetensors). 8 bytes little-endian length, a JSON header, raw little-endian data.
// Knows nothing of networks. The input is borrowed: it must stay as long as what was parsed from it. Pure; any thread.
//
//	struct safetensors file;
//	if (safetensors_read("tests/golden/relu-after1.safetensors", 1 << 20, &file, &e) ||
//	    safetensors_floats(&file, "logits", 256 * 10, logits, &e))
//		…
//	safetensors_free(&file);
#pragma once

#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
	SAFETENSORS_MAX_HEADER = 1 << 18, // bytes
	SAFETENSORS_MAX_TENSORS = 256,
	SAFETENSORS_MAX_META = 256,
	SAFETENSORS_MAX_DIMS = 8,
};

struct safetensors_tensor {
	const char *name; // UTF-8
	const char *dtype; // "F32" …
	int n_dims; // 0 for a scalar
	size_t shape[SAFETENSORS_MAX_DIMS];
	size_t count, n_bytes; // elements, and bytes of data
	const uint8_t *data; // any alignment
};

struct safetensors_meta {
	const char *key, *value; // UTF-8
};

// A parsed file. Zero-initialised it is empty; safetensors_free frees what it owns.
struct safetensors {
	int n_tensors;
	struct safetensors_tensor *tensors; // in the order of their data, which is [data, data + n_data) without a gap
	int n_meta;
	struct safetensors_meta *meta; // in the order of the file
	const uint8_t *data;
	size_t n_data;
	struct cJSON *header; // names and strings point into it
	uint8_t *file; // what safetensors_read read, or NULL
};

// Refuses whatever is not a complete, exact safetensors file: sizes, offsets, overlaps, gaps, unknown types, names twice.
// Values are not looked at.
int safetensors_parse(const void *bytes, size_t n, struct safetensors *s, struct err *e);

// Parses a file, whose bytes s owns then. The path stands before every message.
int safetensors_read(const char *path, size_t max_bytes, struct safetensors *s, struct err *e);

void safetensors_free(struct safetensors *s);

const struct safetensors_tensor *safetensors_find(const struct safetensors *s, const char *name); // NULL if it is not there
const char *safetensors_get(const struct safetensors *s, const char *key); // of the metadata; NULL if it is not there

// Copies an F32 tensor out, which must have `count` elements.
int safetensors_floats(const struct safetensors *s, const char *name, size_t count, float *out, struct err *e);

// The file of these strings and tensors, in this order: the same content gives the same bytes. Data begins at a multiple
// of 8. Of a tensor name, dtype, shape, n_bytes and data count. The caller frees *bytes.
int safetensors_format(const struct safetensors_meta *meta, int n_meta, const struct safetensors_tensor *tensors, int n_tensors,
		       uint8_t **bytes, size_t *n, struct err *e);
