// strtod alone would take "0x1p3", "nan", " 7" and "1e9", too.
#include "core/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool decimal_parse(const char *text, double min, double max, float *number)
{
	static const char digits[] = "0123456789";
	size_t n = strspn(text, digits);
	bool ok = n > 0;
	if (text[n] == '.') {
		size_t n_fraction = strspn(text + n + 1, digits);
		ok = ok && n_fraction > 0;
		n += 1 + n_fraction;
	}
	if (!ok || text[n] || n >= DECIMAL_BYTES)
		return false;
	double value = strtod(text, NULL);
	if (value < min || value > max)
		return false;
	*number = (float)value;
	return true;
}

void decimal_print(float number, char text[DECIMAL_BYTES])
{
	for (int precision = 0; precision <= 9; precision++) {
		snprintf(text, DECIMAL_BYTES, "%.*f", precision, (double)number);
		if (strtof(text, NULL) == number)
			return;
	}
}
