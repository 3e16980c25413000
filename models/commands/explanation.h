// explanation: how a picture was read, for `lenet predict --explain`: its steps as one PNG, and what they are in words. One thread at a time.
#pragma once

#include "core/err.h"
#include "core/picture/steps.h"

// Writes the steps side by side, four in a row, all of one size.
int explanation_write_png(const struct steps_drawn *drawn, const char *path, struct err *e);

// Prints a line for each step, in the order of the PNG.
void explanation_print(const struct steps_drawn *drawn, const char *path);
