// The assembler copies the files in; the Makefile knows that this object depends on them. An ETag is the hash of a file's
// bytes, so a browser that has the page asks once and is told 304; it is computed at each answer, which for a few
// kilobytes takes less than sending them.
#include "server/page.h"

#include <nettle/sha2.h>
#include <string.h>

#define EMBED(name, path)                                                                                            \
	__asm__(".section .rodata\n"                                                                                 \
		"page_" #name "_begin: .incbin \"" path "\"\n"                                                       \
		"page_" #name "_end:\n"                                                                              \
		".previous\n");                                                                                      \
	extern const char page_##name##_begin[], page_##name##_end[];

EMBED(index, "web/index.html")
EMBED(script, "web/app.js")
EMBED(style, "web/style.css")
EMBED(icon, "web/icon.svg")
