#include "core/err.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

TEST(err_set_writes_and_returns_minus_one)
{
	struct err e;
	CHECK(err_set(&e, "%s: %d", "lenet.bin", 7) == -1);
	CHECK(strcmp(e.msg, "lenet.bin: 7") == 0);
}

TEST(err_control_characters_are_replaced)
{
	struct err e;
	err_set(&e, "a%cb%sc%cd\xc3\xa9", '\n', "\x1b[2J\t", 0x7f);
	CHECK_MSG(strcmp(e.msg, "a?b?[2J?c?d\xc3\xa9") == 0, "%s", e.msg);
	err_prefix(&e, "x\ry");
	CHECK_MSG(strncmp(e.msg, "x?y: a?b", 8) == 0, "%s", e.msg);
}

TEST(err_errno_says_what_errno_says)
{
	struct err e;
	errno = ENOENT;
	CHECK(err_errno(&e, "%s", "data/x") == -1);
	CHECK_MSG(strcmp(e.msg, "data/x: No such file or directory") == 0, "%s", e.msg);
}

TEST(err_prefix_nests_and_may_take_its_own_message)
{
	struct err e;
	err_set(&e, "no c1.bias");
	CHECK(err_prefix(&e, "parameters") == -1);
	err_prefix(&e, "%s", "lenet.bin");
	CHECK_MSG(strcmp(e.msg, "lenet.bin: parameters: no c1.bias") == 0, "%s", e.msg);
	err_prefix(&e, "(%s)", e.msg);
	CHECK_MSG(strncmp(e.msg, "(lenet.bin: parameters: no c1.bias): lenet", 42) == 0, "%s", e.msg);
}

TEST(err_long_messages_are_cut)
{
	struct err e;
	char many[1000];
	memset(many, 'x', sizeof many - 1);
	many[sizeof many - 1] = '\0';
	err_set(&e, "%s", many);
	CHECK(strlen(e.msg) == sizeof e.msg - 1);
	errno = EIO;
	err_errno(&e, "%s", many);
	CHECK(strlen(e.msg) == sizeof e.msg - 1);
	err_prefix(&e, "%s", many);
	CHECK(strlen(e.msg) == sizeof e.msg - 1);
}
