// Sums stay integers: a double would lose the nanoseconds of a long sum.
#include "server/observe/prometheus_text.h"

#include <inttypes.h>

void prometheus_text_family(struct text *t, const char *name, const char *type, const char *help)
{
	text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void prometheus_text_counter(struct text *t, const char *name, const char *help, uint64_t value)
{
	prometheus_text_family(t, name, "counter", help);
	text_printf(t, "%s %" PRIu64 "\n", name, value);
}

void prometheus_text_gauge(struct text *t, const char *name, const char *help, double value)
{
	prometheus_text_family(t, name, "gauge", help);
	text_printf(t, "%s %.17g\n", name, value);
}

void prometheus_text_quote(struct text *t, const char *value)
{
	text_append(t, "\"");
	for (const char *c = value; *c; c++)
		if (*c == '\n')
			text_append(t, "\\n");
		else
			text_printf(t, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	text_append(t, "\"");
}

void prometheus_text_histogram(struct text *t, const char *name, const char *labels, const struct prometheus_text_bound *bounds,
			       int n, const uint64_t *counts, uint64_t sum, uint64_t per_unit)
{
	const char *comma = *labels ? "," : "", *open = *labels ? "{" : "", *close = *labels ? "}" : "";
	uint64_t count = 0;
	for (int i = 0; i <= n; i++) {
		count += counts[i];
		text_printf(t, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, labels, comma, i < n ? bounds[i].le : "+Inf", count);
	}
	text_printf(t, "%s_sum%s%s%s %" PRIu64, name, open, labels, close, sum / per_unit);
	if (per_unit > 1)
		text_printf(t, ".%09" PRIu64, sum % per_unit * (1000000000 / per_unit));
	text_printf(t, "\n%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close, count);
}
