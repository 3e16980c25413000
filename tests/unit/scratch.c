#include "tests/unit/scratch.h"

#include <assert.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch scratch_new(void)
{
	struct scratch s = { .n_paths = 0 };
	const char *tmp = getenv("TMPDIR");
	snprintf(s.dir, sizeof s.dir, "%s/lenet-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(s.dir)) {
		perror(s.dir);
		exit(2);
	}
	return s;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void scratch_free(struct scratch *s)
{
	nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(struct scratch *s, const char *name)
{
	assert(s->n_paths < SCRATCH_PATHS);
	char path[sizeof s->paths[0]];
	snprintf(path, sizeof path, "%s/%s", s->dir, name);
	return memcpy(s->paths[s->n_paths++], path, sizeof path);
}

int scratch_count(const struct scratch *s)
{
	int n = 0;
	DIR *directory = opendir(s->dir);
	struct dirent *entry;
	while (directory && (entry = readdir(directory)))
		n += entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return n;
}
