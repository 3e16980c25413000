#include "core/file.h"
#include "tests/unit/test.h"
#include "tests/unit/scratch.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bool holds(const char *path, const char *text)
{
	struct err e;
	uint8_t *bytes;
	size_t n;
	if (file_read(path, 1000000, &bytes, &n, &e))
		return false;
	bool same = n == strlen(text) && memcmp(bytes, text, n) == 0;
	free(bytes);
	return same;
}

TEST(file_writes_what_it_reads)
{
	struct err e;
	struct scratch s = scratch_new();
	const char *path = scratch_path(&s, "a");
	CHECK(file_write(path, "one", 3, &e) == 0 && holds(path, "one"));
	CHECK(file_write(path, "another", 7, &e) == 0 && holds(path, "another"));
	CHECK(file_write(path, "", 0, &e) == 0 && holds(path, ""));
	CHECK(scratch_count(&s) == 1);
	scratch_free(&s);
}

TEST(file_read_obeys_its_limit)
{
	struct err e;
	struct scratch s = scratch_new();
	const char *path = scratch_path(&s, "long");
	size_t n = 200000, got;
	uint8_t *bytes = malloc(n), *back = NULL;
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	CHECK(file_write(path, bytes, n, &e) == 0);
	CHECK(file_read(path, n, &back, &got, &e) == 0 && got == n && memcmp(back, bytes, n) == 0);
	free(back);
	back = NULL;
	for (size_t limit = 0; limit < n; limit = limit * 2 + 65535)
		CHECK(file_read(path, limit, &back, &got, &e) == -1 && !back && strstr(e.msg, "limit"));
	CHECK(file_read(path, n - 1, &back, &got, &e) == -1 && !back);
	free(bytes);
	scratch_free(&s);
}

TEST(file_read_says_what_is_wrong)
{
	struct err e;
	uint8_t *bytes;
	size_t n;
	CHECK(file_read("/nowhere/at/all", 10, &bytes, &n, &e) == -1);
	CHECK_MSG(strcmp(e.msg, "/nowhere/at/all: No such file or directory") == 0, "%s", e.msg);
	CHECK(file_read("/", 10, &bytes, &n, &e) == -1);
	CHECK_MSG(strcmp(e.msg, "/: Is a directory") == 0, "%s", e.msg);
}

TEST(file_write_leaves_nothing_behind_when_it_fails)
{
	struct err e;
	struct scratch s = scratch_new();
	const char *path = scratch_path(&s, "directory");
	CHECK(mkdir(path, 0777) == 0);
	CHECK(file_write(path, "x", 1, &e) == -1 && strstr(e.msg, "directory") && strstr(e.msg, "regular file"));
	CHECK(file_write(scratch_path(&s, "no/such"), "x", 1, &e) == -1);
	path = scratch_path(&s, "pipe"); // as /dev/null would be, which a broken file_write must not get to replace
	struct stat st;
	CHECK(mkfifo(path, 0666) == 0);
	CHECK(file_write(path, "x", 1, &e) == -1 && strstr(e.msg, "regular file"));
	CHECK(stat(path, &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK(scratch_count(&s) == 2);
	scratch_free(&s);
}

// As on a full disk: the limit on a file's size stops the write half way.
TEST(file_write_that_fails_half_way_keeps_the_old_file)
{
	struct err e;
	struct scratch s = scratch_new();
	const char *path = scratch_path(&s, "a");
	char *large = calloc(1, 1 << 20);
	CHECK(file_write(path, "old", 3, &e) == 0);
	struct rlimit before, small;
	CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
	small = before;
	small.rlim_cur = 1 << 16;
	signal(SIGXFSZ, SIG_IGN);
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	int rc = file_write(path, large, 1 << 20, &e);
	CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
	signal(SIGXFSZ, SIG_DFL);
	CHECK(rc == -1 && strstr(e.msg, path) && strstr(e.msg, "File too large"));
	CHECK(holds(path, "old") && scratch_count(&s) == 1);
	free(large);
	scratch_free(&s);
}

TEST(file_write_follows_symbolic_links)
{
	struct err e;
	struct scratch s = scratch_new();
	const char *path = scratch_path(&s, "real"), *link = scratch_path(&s, "link");
	CHECK(file_write(path, "old", 3, &e) == 0 && symlink("real", link) == 0);
	CHECK(file_write(link, "new", 3, &e) == 0);
	CHECK(holds(path, "new"));
	struct stat st;
	CHECK(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(scratch_count(&s) == 2);
	scratch_free(&s);
}
