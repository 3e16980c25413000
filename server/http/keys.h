// keys: API keys from a file, one a line: 16 to 256 characters of a bearer token (RFC 6750 section 2.1), then optionally a blank and
// the owner's name. A line that begins with '#' is a comment. Only hashes of the keys stay in memory.
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEYS_MAX = 1024 };

struct keys_set {
	int n;
	uint8_t hashes[KEYS_MAX][32];
};

// Parses a file's text of at least one key. Pure.
int keys_parse(const char *text, size_t n, struct keys_set *set, struct err *e);

struct keys;

// path is borrowed and outlives the keys.
int keys_open(const char *path, struct keys **keys, struct err *e);
void keys_close(struct keys *keys); // NULL is fine

int keys_load(struct keys *keys, struct err *e); // reads the file again; -1: the old keys stay; any thread

// Takes as long for a wrong key as for a right one. Any thread.
bool keys_know(struct keys *keys, const char *key);
