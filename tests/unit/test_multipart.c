#include "server/routes/multipart.h"

#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "multipart/form-data; boundary=XX"

// What the parts are, as "[content]" for a field, "{content}" for a file; "!" and the message for a fault.
static const char *read_all(const char *type, const char *body, size_t n)
{
	static char text[1024];
	struct multipart m;
	struct multipart_part part;
	struct err e;
	int more = -1;
	size_t used = 0;
	char *copy = malloc(n ? n : 1); // of the exact size, for the sanitiser
	memcpy(copy, body, n);
	text[0] = 0;
	if (multipart_init(&m, type, copy, n, &e) == 0)
		while ((more = multipart_next(&m, &part, &e)) > 0 && used < sizeof text - 100)
			used += (size_t)snprintf(text + used, 100, part.is_file ? "{%.*s}" : "[%.*s]", (int)part.n,
						 (const char *)part.bytes);
	if (more < 0)
		snprintf(text + used, sizeof text - used, "!%s", e.msg);
	free(copy);
	return text;
}

static void check(const char *type, const char *body, const char *want)
{
	const char *got = read_all(type, body, strlen(body));
	CHECK_MSG(want[0] == '!' ? strstr(got, want + 1) != NULL : strcmp(got, want) == 0, "%s\n    gave %s\n    not %s", body, got,
		  want);
}

#define FILE_PART(content) "--XX\r\nContent-Disposition: form-data; name=\"a\"; filename=\"7.png\"\r\n\r\n" content "\r\n"
#define FIELD_PART(content) "--XX\r\nContent-Disposition: form-data; name=\"filename=\"\r\n\r\n" content "\r\n"

TEST(multipart_parts)
{
	check(TYPE, FILE_PART("one") FIELD_PART("two") "--XX--\r\n", "{one}[two]");
	check(TYPE, FILE_PART("one") "--XX--", "{one}");
	check(TYPE, "preamble\r\n" FILE_PART("one") "--XX--\r\nepilogue", "{one}");
	check(TYPE, "\r\n" FILE_PART("one") "--XX--\r\n", "{one}");
	check(TYPE, FILE_PART("") "--XX--", "{}");
	check(TYPE, "--XX\r\n\r\n--XX--", "[]"); // an empty part whose delimiter has the headers' CRLF
	check(TYPE, "--XX \t\r\n\r\na\r\n--XX  \r\n\r\nb\r\n--XX--", "[a][b]");
	check(TYPE, FILE_PART("a\r\n--XXa\r\n--X\r\n-- XX\r\n--XX b") "--XX--", "{a\r\n--XXa\r\n--X\r\n-- XX\r\n--XX b}");
	check(TYPE, "--XX--\r\n", "");
	check(TYPE, "--XX\r\ncontent-disposition: form-data; FILENAME*=utf-8''x\r\nX: y\r\n\r\na\r\n--XX--", "{a}");
}

TEST(multipart_boundaries)
{
	const char *body = "--a;b c\r\n\r\none\r\n--a;b c--";
	check("multipart/form-data; charset=x; Boundary=\"a;b c\"", body, "[one]");
	check("multipart/form-data;boundary=XX ; a=b", "--XX\r\n\r\none\r\n--XX--", "[one]");
	check("multipart/form-data; a=\"; boundary=YY\"; boundary=XX", "--XX\r\n\r\none\r\n--XX--", "[one]");
	check("multipart/form-data; xboundary=YY", body, "!needs a boundary");
	check("multipart/form-data", body, "!needs a boundary");
	check("multipart/form-data; boundary=", body, "!needs a boundary");
	check("multipart/form-data; boundary=\"\"", body, "!needs a boundary");
	char type[128];
	snprintf(type, sizeof type, "multipart/form-data; boundary=%071d", 0);
	check(type, body, "!needs a boundary");
}

TEST(multipart_faults)
{
	check(TYPE, "", "!no part");
	check(TYPE, "--X", "!no part");
	check(TYPE, "--XX", "!no part");
	check(TYPE, "--XY\r\n\r\na\r\n--XY--", "!no part");
	check(TYPE, "--XX\r\n", "!cut off in the headers");
	check(TYPE, "--XX\r\nContent-Disposition: form-data\r\n", "!cut off in the headers");
	check(TYPE, "--XX\r\nnonsense\r\n\r\na\r\n--XX--", "!without a colon");
	check(TYPE, FILE_PART("one"), "!last boundary is missing");
	check(TYPE, FILE_PART("one") "--XX-", "!last boundary is missing");
	check(TYPE, FILE_PART("one") "--XX\r\n", "!cut off in the headers");
}

TEST(multipart_every_truncation_ends)
{
	const char *body = FILE_PART("one") FIELD_PART("two") "--XX--";
	for (size_t n = 0; n < strlen(body); n++)
		CHECK_MSG(strchr(read_all(TYPE, body, n), '!'), "%zu bytes were enough", n);
}
