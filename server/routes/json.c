#include "server/routes/json.h"

#include <string.h>

// Of a picture: pixels, rows, the channel, the picture; and one for the other fields.
enum { VALUES_A_PICTURE = 28 * 28 + 28 + 2 + 1 };

enum { NODE_BYTES = sizeof(cJSON) + 16 }; // of a value, with what malloc adds

static size_t max_values(int max_pictures)
{
	return ((size_t)max_pictures + 1) * VALUES_A_PICTURE;
}

// A value takes two bytes of text at least, and a string its text.
uint64_t json_memory(size_t n, int max_pictures)
{
	size_t most = max_values(max_pictures);
	return (uint64_t)(n / 2 < most ? n / 2 : most) * NODE_BYTES + n;
}

int json_parse(const char *text, size_t n, int max_pictures, cJSON **root, struct err *e)
{
	// Every value but the first follows one of these characters. (Strings may contain them, too, but base64 does not.)
	size_t n_values = 0;
	for (size_t i = 0; i < n; i++)
		n_values += text[i] == ',' || text[i] == '[' || text[i] == '{' || text[i] == ':';
	if (n_values > max_values(max_pictures))
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
