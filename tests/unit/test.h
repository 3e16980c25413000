// test: the whole test framework. TEST(name) { … CHECK(condition); … } in any file of this folder is a test; a failed
// CHECK says where and what, the test goes on, and the program's exit status is 1.
#pragma once

#include <stdbool.h>
#include <stdbool.h>
#include <stddef.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *test);
void test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Says loudly that something was not tested, and why. The test counts as skipped unless a CHECK fails.
void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

// TEST_SHORT is set: somebody slow looks on (a sanitiser, an emulation), and a little of everything will do.
bool test_is_short(void);

// A line for whoever reads the log: what was measured, and how much.
void test_figure(const char *format, ...) __attribute__((format(printf, 1, 2)));

// ‖got − want‖ / ‖want‖, in double. Infinite if a number is not finite.
double test_error(const float *got, const float *want, size_t n);

// A whole file; the caller frees. Ends the program if it is not there: tests run in the repository's root.
unsigned char *test_file(const char *path, size_t *n);

#define TEST(name)                                                                                                                 \
	static void test_##name(void);                                                                                             \
	__attribute__((constructor)) static void register_##name(void)                                                             \
	{                                                                                                                          \
		static struct test test = { #name, test_##name, NULL };                                                            \
		test_register(&test);                                                                                              \
	}                                                                                                                          \
	static void test_##name(void)

#define CHECK(condition)                                                                                                           \
	do {                                                                                                                       \
		if (!(condition))                                                                                                  \
			test_fail(__FILE__, __LINE__, "%s", #condition);                                                           \
	} while (0)

// As CHECK, with a message of one's own: CHECK_MSG(error < bound, "c1: error %g", error).
#define CHECK_MSG(condition, ...)                                                                                                  \
	do {                                                                                                                       \
		if (!(condition))                                                                                                  \
			test_fail(__FILE__, __LINE__, __VA_ARGS__);                                                                \
	} while (0)
