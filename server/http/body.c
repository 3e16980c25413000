// Memory is counted in the budget before it is allocated, and counted off if that fails.
#include "server/http/body.h"

#include <stdlib.h>
#include <string.h>

void body_init(struct body *body, char *small)
{
	*body = (struct body){ .small = small, .bytes = small, .capacity = BODY_SMALL };
}

// Grows to `capacity` bytes.
static bool grow(struct body_budget *budget, struct body *body, size_t capacity)
{
	bool is_small = body->bytes == body->small;
	long long more = (long long)(capacity - (is_small ? 0 : body->capacity));
	char *bytes = NULL;
	if (atomic_fetch_add(&budget->used, more) + more <= budget->max)
		bytes = realloc(is_small ? NULL : body->bytes, capacity);
	if (!bytes) {
		atomic_fetch_sub(&budget->used, more);
		return false;
	}
	if (is_small)
		memcpy(bytes, body->small, body->n);
	body->bytes = bytes;
	body->capacity = capacity;
	return true;
}

bool body_append(struct body_budget *budget, struct body *body, const char *bytes, size_t n, size_t expected)
{
	size_t needed = body->n + n + 1; // one for a terminating 0
	if (needed > body->capacity) {
		size_t capacity = 2 * needed < expected + 1 ? 2 * needed : expected + 1;
		if (!grow(budget, body, capacity > needed ? capacity : needed))
			return false;
	}
	memcpy(body->bytes + body->n, bytes, n);
	body->n += n;
	return true;
}

void body_free(struct body_budget *budget, struct body *body)
{
	if (body->bytes != body->small) {
		atomic_fetch_sub(&budget->used, (long long)body->capacity);
		free(body->bytes);
	}
	body_init(body, body->small);
}
