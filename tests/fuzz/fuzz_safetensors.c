// The container. Every byte that a parsed tensor claims is read, and what is written from it parses to the same.
#include "core/safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct safetensors s = { 0 }, again = { 0 };
	struct err e = { .msg = "" };
	if (safetensors_parse(bytes, n, &s, &e)) {
		check(e.msg[0] != '\0' && !s.header);
		return 0;
	}
	uint8_t *file;
	size_t n_file;
	if (safetensors_format(s.meta, s.n_meta, s.tensors, s.n_tensors, &file, &n_file, &e)) {
		safetensors_free(&s);
		return 0; // its header grew over the limit
	}
	check(safetensors_parse(file, n_file, &again, &e) == 0);
	check(again.n_data == s.n_data && memcmp(again.data, s.data, s.n_data) == 0);
	check(again.n_tensors == s.n_tensors && again.n_meta == s.n_meta);
	for (int i = 0; i < s.n_meta; i++)
		check(strcmp(safetensors_get(&again, s.meta[i].key), s.meta[i].value) == 0);
	for (int i = 0; i < s.n_tensors; i++) {
		const struct safetensors_tensor *t = safetensors_find(&again, s.tensors[i].name);
		check(t && t->n_bytes == s.tensors[i].n_bytes && t->count == s.tensors[i].count);
	}
	safetensors_free(&again);
	safetensors_free(&s);
	free(file);
	return 0;
}
