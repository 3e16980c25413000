// embed: files compiled into the program: the assembler copies them in. The Makefile says which object depends on which files.
#pragma once

// Defines NAME_begin and NAME_end, in a .c at file scope. They are hidden so that the compiler takes their addresses relative to the
// code: through aarch64's global offset table several of them came out as the first.
#define EMBED(name, path)                                                                                                          \
	__asm__(".section .rodata\n"                                                                                               \
		".balign 64\n" #name "_begin: .incbin \"" path "\"\n" #name "_end:\n"                                              \
		".previous\n");                                                                                                    \
	extern const unsigned char name##_begin[] __attribute__((visibility("hidden"))),                                           \
		name##_end[] __attribute__((visibility("hidden")));
