// A head: its URL, then a header a line. What passes has one length at most, and one host.
#include "server/http/head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

// In the text behind its first line.
static int count(const char *headers, const char *name)
{
	int found = 0;
	for (; headers; headers = strchr(headers, '\n'), headers = headers ? headers + 1 : NULL)
		found += strncasecmp(headers, name, strlen(name)) == 0;
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char authority[HEAD_MAX_AUTHORITY], *text = malloc(n + 1), *copy = malloc(n + 1);
	struct head head;
	struct err e = { "" };
	if (!text || !copy)
		abort();
	memcpy(text, bytes, n);
	text[n] = 0;
	strcpy(copy, text);
	const char *headers = strchr(copy, '\n');
	headers = headers ? headers + 1 : "";

	char *rest = text;
	head_begin(&head, strsep(&rest, "\n"), authority);
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *colon = strchr(line, ':');
		if (colon)
			head_add(&head, line, (size_t)(colon - line), colon + 1);
	}
	for (int old = 0; old < 2; old++) {
		int status = head_check(&head, old, &e);
		if (status ? !*e.msg
			   : count(headers, "host:") > 1 ||
				     count(headers, "content-length:") + count(headers, "transfer-encoding:") > 1)
			abort();
		if (status == 0 && (!head.path || (!old && !head.host) || (head.chunked && head.n_lengths)))
			abort();
	}
	free(text);
	free(copy);
	return 0;
}
