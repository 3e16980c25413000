// The assembler copies the files in; the Makefile knows that this object depends on them.
#include "core/builtin.h"

__asm__(".section .rodata\n"
	".balign 64\n"
	"builtin_begin: .incbin \"models/relu.bin\"\n"
	"builtin_end:\n"
	"builtin_digits_begin: .incbin \"core/digits.bin\"\n"
	".previous\n");
#define HIDDEN __attribute__((visibility("hidden")))
// Hidden, so that their addresses are reckoned from here: through aarch64's global offset table both came out as the first.
extern const unsigned char builtin_begin[] HIDDEN, builtin_end[] HIDDEN, builtin_digits_begin[] HIDDEN;

const uint8_t *builtin_digits(void)
{
	return builtin_digits_begin;
}

int builtin_read(struct weights *w, struct err *e)
{
	if (weights_parse(builtin_begin, (size_t)(builtin_end - builtin_begin), NULL, w, e))
		return err_prefix(e, "the built-in model");
	return 0;
}
