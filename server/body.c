// The budget is taken before the memory, and given back if that is refused.
#include "server/body.h"

#include <stdlib.h>
#include <string.h>

void body_init(struct body *body, char *small)
{
	*body = (struct body){ .small = small, .bytes = small, .capacity = BODY_SMALL };
}

bool body_reserve(struct body_budget *budget, struct body *body, size_t capacity)
{
	if (capacity <= body->capacity)
		return true;
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

void body_free(struct body_budget *budget, struct body *body)
{
	if (body->bytes != body->small) {
		atomic_fetch_sub(&budget->used, (long long)body->capacity);
		free(body->bytes);
	}
	body_init(body, body->small);
}
