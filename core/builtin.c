// The assembler copies the files in.
#include "core/builtin.h"

#include "core/embed.h"

EMBED(builtin_model, "models/best.bin")
EMBED(builtin_ten_digits, "core/digits.bin")

const uint8_t *builtin_digits(void)
{
	return builtin_ten_digits_begin;
}

int builtin_read(struct weights *w, struct err *e)
{
	if (weights_parse(builtin_model_begin, (size_t)(builtin_model_end - builtin_model_begin), NULL, w, e))
		return err_prefix(e, "the built-in model");
	return 0;
}
