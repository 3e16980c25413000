// SHA-256 sums are compared, all of them in full, so that the time of a check tells nothing about the keys.
#include "server/http/keys.h"

#include "core/file.h"

#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_KEY = 16, MAX_KEY = 256, MAX_FILE = 1 << 20 };

struct keys {
	const char *path;
	pthread_rwlock_t lock;
	struct keys_set *set; // lock
};

static void hash(const char *key, size_t n, uint8_t digest[32])
{
	struct sha256_ctx sha;
	sha256_init(&sha);
	sha256_update(&sha, n, (const uint8_t *)key);
	sha256_digest(&sha, SHA256_DIGEST_SIZE, digest);
}

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~+/=", c));
}

// Finds the key in the line from `at` to `end`. *n_key 0: it has none.
static int parse_line(const char *at, const char *end, const char **key, size_t *n_key, struct err *e)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	*key = at;
	while (at < end && is_key_char(*at))
		at++;
	*n_key = (size_t)(at - *key);
	if (at < end && *at != ' ' && *at != '\t' && *at != '\r' && !(*at == '#' && *n_key == 0))
		return err_set(e, "a key has a character that is none of a-z A-Z 0-9 - . _ ~ + / =");
	if (*n_key && (*n_key < MIN_KEY || *n_key > MAX_KEY))
		return err_set(e, "a key of %zu characters; %d to %d are accepted (openssl rand -hex 16 makes one)", *n_key,
			       MIN_KEY, MAX_KEY);
	return 0;
}

int keys_parse(const char *text, size_t n, struct keys_set *set, struct err *e)
{
	const char *end = text + n, *next;
	int line = 1;
	set->n = 0;
	for (const char *at = text; at < end; at = next + 1, line++) {
		const char *key;
		size_t n_key;
		next = memchr(at, '\n', (size_t)(end - at));
		if (!next)
			next = end;
		if (parse_line(at, next, &key, &n_key, e))
			return err_prefix(e, "line %d", line);
		if (n_key == 0)
			continue;
		if (set->n == KEYS_MAX)
			return err_set(e, "line %d: more than %d keys; remove some", line, KEYS_MAX);
		hash(key, n_key, set->hashes[set->n++]);
	}
	return set->n ? 0 : err_set(e, "there is no key in it; write one a line");
}

int keys_load(struct keys *keys, struct err *e)
{
	uint8_t *text;
	size_t n;
	if (file_read(keys->path, MAX_FILE, &text, &n, e))
		return -1;
	struct keys_set *set = malloc(sizeof *set);
	int failed = !set                                        ? err_set(e, "%s: no memory for its keys", keys->path)
		     : keys_parse((const char *)text, n, set, e) ? err_prefix(e, "%s", keys->path)
								 : 0;
	free(text);
	if (failed) {
		free(set);
		return -1;
	}
	pthread_rwlock_wrlock(&keys->lock);
	struct keys_set *old = keys->set;
	keys->set = set;
	pthread_rwlock_unlock(&keys->lock);
	free(old);
	return 0;
}

int keys_open(const char *path, struct keys **keys, struct err *e)
{
	struct keys *k = calloc(1, sizeof *k);
	if (!k)
		return err_set(e, "no memory for API keys");
	k->path = path;
	pthread_rwlock_init(&k->lock, NULL);
	if (keys_load(k, e)) {
		keys_close(k);
		return -1;
	}
	*keys = k;
	return 0;
}

void keys_close(struct keys *keys)
{
	if (!keys)
		return;
	pthread_rwlock_destroy(&keys->lock);
	free(keys->set);
	free(keys);
}

bool keys_know(struct keys *keys, const char *key)
{
	uint8_t digest[32];
	int n_same = 0;
	hash(key, strlen(key), digest);
	pthread_rwlock_rdlock(&keys->lock);
	for (int i = 0; i < keys->set->n; i++)
		n_same += memeql_sec(digest, keys->set->hashes[i], sizeof digest);
	pthread_rwlock_unlock(&keys->lock);
	return n_same > 0;
}
