// A delimiter is CRLF, "--", the boundary, blanks, CRLF; the last one has "--" behind the boundary. The first one needs no CRLF before
// it. A line that only begins like a delimiter is content. The time is linear: memmem is, and a search starts where the last one ended.
#include "server/routes/multipart.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

// The value of `name` in "type; a=b; name=value", quoted or not; NULL if there is none. *n: its length without quotes.
static const char *find_parameter(const char *s, const char *end, const char *name, size_t *n)
{
	size_t n_name = strlen(name);
	bool quoted = false;
	for (; s < end; s++) {
		if (*s == '"')
			quoted = !quoted;
		else if (quoted && *s == '\\' && s + 1 < end)
			s++;
		if (*s != ';' || quoted)
			continue;
		do
			s++;
		while (s < end && (*s == ' ' || *s == '\t'));
		if ((size_t)(end - s) > n_name && strncasecmp(s, name, n_name) == 0 && s[n_name] == '=') {
			s += n_name + 1;
			const char *stop;
			if (s < end && *s == '"') {
				s++;
				stop = memchr(s, '"', (size_t)(end - s));
			} else {
				for (stop = s; stop < end && *stop != ';' && !isspace((unsigned char)*stop); stop++)
					;
			}
			*n = (size_t)((stop ? stop : end) - s);
			return s;
		}
		s--; // it may be a ';' or a quote
	}
	return NULL;
}

// Reads what follows a boundary at *s. 1: a part, and *s is its first byte; 0: the end of the body; -1: no delimiter after all.
static int read_delimiter_tail(const char **s, const char *end)
{
	const char *c = *s;
	if (end - c >= 2 && memcmp(c, "--", 2) == 0)
		return 0;
	while (c < end && (*c == ' ' || *c == '\t'))
		c++;
	if (end - c < 2 || memcmp(c, "\r\n", 2) != 0)
		return -1;
	*s = c + 2;
	return 1;
}

// Finds the next delimiter from `from` on: *content_end is its start, m->at its end. Results as above; -1: there is none.
static int next_delimiter(struct multipart *m, const char *from, const char **content_end)
{
	for (;;) {
		const char *hit = memmem(from, (size_t)(m->end - from), m->delimiter, m->n_delimiter);
		if (!hit)
			return -1;
		const char *tail = hit + m->n_delimiter;
		int kind = read_delimiter_tail(&tail, m->end);
		if (kind >= 0) {
			*content_end = hit;
			m->at = kind ? tail : NULL;
			return kind;
		}
		from = hit + 2;
	}
}

int multipart_init(struct multipart *m, const char *content_type, const void *body, size_t n, struct err *e)
{
	size_t n_boundary;
	const char *boundary = find_parameter(content_type, content_type + strlen(content_type), "boundary", &n_boundary);
	if (!boundary || n_boundary < 1 || n_boundary > MULTIPART_MAX_BOUNDARY)
		return err_set(e,
			       "the Content-Type of a multipart body needs a boundary of 1 to %d characters; "
			       "leave that header to the HTTP client",
			       MULTIPART_MAX_BOUNDARY);
	memcpy(m->delimiter, "\r\n--", 4);
	memcpy(m->delimiter + 4, boundary, n_boundary);
	m->n_delimiter = 4 + n_boundary;
	m->at = body;
	m->end = m->at + n;

	const char *tail = m->at + m->n_delimiter - 2, *unused;
	int kind = -1;
	if (n >= m->n_delimiter - 2 && memcmp(m->at, m->delimiter + 2, m->n_delimiter - 2) == 0)
		kind = read_delimiter_tail(&tail, m->end);
	if (kind >= 0)
		m->at = kind ? tail : NULL;
	else if (next_delimiter(m, m->at, &unused) < 0)
		return err_set(e, "no part of the multipart body begins with the boundary that its Content-Type names");
	return 0;
}

// Reads a part's headers up to an empty line. Only Content-Disposition is used.
static int read_headers(struct multipart *m, struct multipart_part *part, struct err *e)
{
	static const char disposition[] = "Content-Disposition:";
	for (;;) {
		const char *line = m->at;
		const char *stop = memmem(line, (size_t)(m->end - line), "\r\n", 2);
		if (!stop)
			return err_set(e, "the multipart body is cut off in the headers of a part");
		m->at = stop + 2;
		if (stop == line)
			return 0;
		size_t n;
		if ((size_t)(stop - line) >= sizeof disposition - 1 && strncasecmp(line, disposition, sizeof disposition - 1) == 0)
			part->is_file = find_parameter(line, stop, "filename", &n) || find_parameter(line, stop, "filename*", &n);
		else if (!memchr(line, ':', (size_t)(stop - line)))
			return err_set(e, "a part of the multipart body has a header line without a colon");
	}
}

int multipart_next(struct multipart *m, struct multipart_part *part, struct err *e)
{
	if (!m->at)
		return 0;
	struct multipart_part p = { .is_file = false };
	if (read_headers(m, &p, e))
		return -1;
	const char *content = m->at, *content_end;
	// An empty part's delimiter shares its CRLF with the empty line that ends the headers.
	if (next_delimiter(m, content - 2, &content_end) < 0)
		return err_set(e, "the multipart body is cut off: its last boundary is missing");
	p.bytes = content;
	p.n = content_end > content ? (size_t)(content_end - content) : 0;
	*part = p;
	return 1;
}
