// decimal: numbers from outside, as digits with or without a fraction: "1", "0.85". No sign, exponent, space or infinity. Pure functions.
#pragma once

#include <stdbool.h>

enum { DECIMAL_BYTES = 32 };

// False, and *number is untouched: the text is anything else, longer than DECIMAL_BYTES, or not in min..max.
bool decimal_parse(const char *text, double min, double max, float *number);

// The shortest text with at most nine digits of fraction that reads back as the same float, for numbers from 0 to 1e6. Of smaller ones
// than 1e-9 nothing is left.
void decimal_print(float number, char text[DECIMAL_BYTES]);
