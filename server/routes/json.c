#include "server/routes/json.h"

#include <string.h>

// Pixels, rows, a channel, a picture; and one for the fields beside them.
enum { VALUES_A_PICTURE = 28 * 28 + 28 + 2 + 1 };

int json_parse(const char *text, size_t n, int max_pictures, cJSON **root, struct err *e)
{
	// Every value but the first follows one of these. (They may be in strings, too, but not in base64.)
	size_t n_values = 0;
	for (size_t i = 0; i < n; i++)
		n_values += text[i] == ',' || text[i] == '[' || text[i] == '{' || text[i] == ':';
	if (n_values > ((size_t)max_pictures + 1) * VALUES_A_PICTURE)
		return err_status(e, 413, "the JSON has more values than %d pictures need; send fewer in one request",
				  max_pictures);
	const char *stop = text, *end = text + n;
	cJSON *tree = cJSON_ParseWithLengthOpts(text, n, &stop, 0);
	while (tree && stop < end && memchr(" \t\r\n", *stop, 4))
		stop++;
	if (!tree || stop != end) {
		cJSON_Delete(tree);
		return err_status(e, 400, "the JSON is malformed at byte %zu", (size_t)(stop - text));
	}
	*root = tree;
	return 0;
}
