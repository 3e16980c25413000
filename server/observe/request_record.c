// Numbers are formatted by hand: this runs once a request, and printf would cost more than the rest of the record.
#include "server/observe/request_record.h"

#include "core/clock.h"

#include <string.h>

const char *const request_record_stages[ROUTE_N_STAGES] = { "wait", "decode", "queue", "compute" };

void request_record_begin(struct request_record *r, const struct route_request *request, const char *method, const char *path,
			  bool logged)
{
	const char *id = route_header(request, "X-Request-Id");
	*r = (struct request_record){ .began_ns = clock_now_ns() };
	if (id && request_id_is_valid(id))
		strcpy(r->id, id);
	else
		request_id_make(r->id);
	if (!logged)
		return;
	const char *parent = route_header(request, "traceparent");
	if (parent)
		request_id_read_traceparent(parent, r->trace_id);
	request_record_encode(method, r->method, sizeof r->method);
	request_record_encode(path, r->path, sizeof r->path);
}

void request_record_answer(struct request_record *r, const struct route_response *response)
{
	r->took_ns = clock_now_ns() - r->began_ns;
	r->status = response->status;
	r->n_out = strcmp(r->method, "HEAD") == 0 || r->status == 304 ? 0 : response->n_body;
	r->account = response->account;
}

// Microseconds as milliseconds, "12.345". Returns the end.
static char *put_ms(char *c, int64_t us)
{
	char digits[24];
	int n = 0;
	do {
		digits[n++] = (char)('0' + us % 10);
		us /= 10;
		if (n == 3)
			digits[n++] = '.';
	} while (us > 0 || n < 5);
	while (n > 0)
		*c++ = digits[--n];
	return c;
}

bool request_record_server_timing(const struct route_account *account, char timing[REQUEST_RECORD_MAX_TIMING])
{
	char *c = timing;
	for (int stage = 0; stage < ROUTE_N_STAGES; stage++) {
		if (!(account->stages & 1u << stage))
			continue;
		c = stpcpy(stpcpy(stpcpy(c, c == timing ? "" : ", "), request_record_stages[stage]), ";dur=");
		c = put_ms(c, account->ns[stage] / 1000);
	}
	*c = 0;
	return c != timing;
}

void request_record_encode(const char *s, char *encoded, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t at = 0;
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool plain = c > ' ' && c <= '~' && !strchr("\"'\\%", c);
		if (at + (plain ? 1 : 3) >= n) {
			strcpy(encoded + (at < n - 4 ? at : n - 4), "...");
			return;
		}
		if (plain) {
			encoded[at++] = *s;
		} else {
			encoded[at++] = '%';
			encoded[at++] = hex[c >> 4];
			encoded[at++] = hex[c & 15];
		}
	}
	encoded[at] = 0;
}
