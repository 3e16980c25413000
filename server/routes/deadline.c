// A number too large for an int is a long time, not an error.
#include "server/routes/deadline.h"

int deadline_read(const struct route_request *request, int limit_ms, struct err *e)
{
	const char *name = "X-Request-Timeout-Ms", *value = route_header(request, name);
	if (!value)
		value = route_header(request, name = "X-Envoy-Expected-Rq-Timeout-Ms");
	if (!value)
		return limit_ms;
	int ms = 0;
	const char *c = value;
	for (; *c >= '0' && *c <= '9'; c++)
		ms = ms < limit_ms ? ms * 10 + (*c - '0') : ms;
	if (c == value || *c)
		return err_set(e, "%s: \"%.40s\" is not accepted; give whole milliseconds, as in 250", name, value);
	return ms < limit_ms ? ms : limit_ms;
}
