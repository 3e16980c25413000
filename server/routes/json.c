#include "server/routes/json.h"

#include <string.h>

enum {
	VALUES_A_PICTURE = 28 * 28 + 28 + 2 + 1
}; // its pixels, in rows, in a channel, in a picture; and one for what is beside them

int json_parse(const char *text, size_t n, int max_pictures, cJSON **root, struct err *e)
{
	// A value more begins behind every one of these (and inside strings, where base64 has none of them).
	size_t n_values = 0;
	for (size_t i = 0; i < n; i++)
		n_values += text[i] == ',' || text[i] == '[' || text[i] == '{' || text[i] == ':';
	if (n_values > ((size_t)max_pictures + 1) * VALUES_A_PICTURE) {
		err_set(e, "the JSON has more values than %d pictures need; send fewer in one request", max_pictures);
		return 413;
	}
	const char *stop = text, *end = text + n;
	cJSON *tree = cJSON_ParseWithLengthOpts(text, n, &stop, 0);
	while (tree && stop < end && memchr(" \t\r\n", *stop, 4))
		stop++;
	if (!tree || stop != end) {
		cJSON_Delete(tree);
		err_set(e, "the JSON is malformed at byte %zu", (size_t)(stop - text));
		return 400;
	}
	*root = tree;
	return 0;
}
