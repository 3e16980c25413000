// Who is let in, by a path, a Host and an Origin, a line each: nobody by another name or from another's page, and nobody is
// refused without an answer.
#include "server/http/admission.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct head {
	char *lines[3];
};

static const char *find_header(const void *arg, const char *name)
{
	static const char *const names[] = { "Host", "Origin" };
	const struct head *head = arg;
	for (int i = 0; i < 2; i++)
		if (strcmp(names[i], name) == 0)
			return head->lines[1 + i];
	return NULL;
}

static void split(char *text, struct head *head)
{
	for (int i = 0; i < 3; i++)
		head->lines[i] = text ? strsep(&text, "\n") : NULL;
}

// At the least.
static bool names_us(const char *host)
{
	return strcasestr(host, "localhost") || strncasecmp(host, "lenet.example", strlen("lenet.example")) == 0 ||
	       strncmp(host, "127.", 4) == 0 || *host == '[';
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct admission_names hosts = { { "lenet.example" }, 1 }, origins = { { "https://page.example" }, 1 };
	const struct admission admission = { &hosts, &origins, true, NULL };
	char *text = malloc(n + 1);
	struct head head;
	if (!text)
		return 0;
	memcpy(text, bytes, n);
	text[n] = 0;
	split(text, &head);
	const struct route_request request = { .find_header = find_header, .headers = &head };
	struct route_response response = { 0 };
	bool admitted = admission_check(&admission, "POST", head.lines[0], &request, &response);
	const char *host = head.lines[1], *origin = head.lines[2];
	if (admitted == (response.status != 0))
		abort();
	if (admitted && host && !names_us(host))
		abort();
	if (admitted && origin && strcasecmp(origin, "https://page.example") != 0 && (!host || !strcasestr(origin, host)))
		abort();
	free(response.owned);
	free(text);
	return 0;
}
