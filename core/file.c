// file_read reads until read(2) returns 0 and ignores the size in the directory: a file may grow, and a pipe has no size.
// file_write syncs the data before the rename, and the directory before it returns.
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_retrying(const char *path, int flags, mode_t mode)
{
	int fd;
	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

// As much as comes until the end of the file or until `size` bytes are there; -1 and errno.
static ssize_t read_fully(int fd, uint8_t *to, size_t size)
{
	size_t n = 0;
	while (n < size) {
		ssize_t got = read(fd, to + n, size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int write_fully(int fd, const uint8_t *from, size_t n)
{
	while (n > 0) {
		ssize_t wrote = write(fd, from, n);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -1;
		from += wrote;
		n -= (size_t)wrote;
	}
	return 0;
}

int file_read(const char *path, size_t max_bytes, uint8_t **bytes, size_t *n, struct err *e)
{
	bool is_standard = strcmp(path, "-") == 0;
	const char *name = is_standard ? "standard input" : path;
	int fd = is_standard ? dup(STDIN_FILENO) : open_retrying(path, O_RDONLY, 0);
	if (fd < 0)
		return err_errno(e, "%s", name);

	int rc = -1;
	uint8_t *buffer = NULL;
	size_t used = 0, size = 0;
	while (used == size && used <= max_bytes) {
		size = size ? 2 * size : 1 << 16;
		if (size > max_bytes)
			size = max_bytes + 1; // one more tells a file that is too long
		uint8_t *larger = realloc(buffer, size);
		if (!larger) {
			err_set(e, "%s: no memory for its content", name);
			goto out;
		}
		buffer = larger;
		ssize_t got = read_fully(fd, buffer + used, size - used);
		if (got < 0) {
			err_errno(e, "%s", name);
			goto out;
		}
		used += (size_t)got;
	}
	if (used > max_bytes) {
		err_set(e, "%s: longer than the limit of %zu bytes", name, max_bytes);
		goto out;
	}
	*bytes = buffer;
	*n = used;
	buffer = NULL;
	rc = 0;
out:
	free(buffer);
	close(fd);
	return rc;
}

// Where the rename will go: behind symbolic links, or `path` itself where nothing is yet. The caller frees.
static char *find_target(const char *path, struct err *e)
{
	struct stat st;
	char *target = realpath(path, NULL);
	if (!target && errno == ENOENT)
		target = strdup(path);
	else if (target && stat(target, &st) == 0 && !S_ISREG(st.st_mode)) {
		free(target);
		err_set(e, "%s: is not a regular file; writing would replace it", path);
		return NULL;
	}
	if (!target)
		err_errno(e, "%s", path);
	return target;
}

static int create_beside(const char *target, char *temporary, size_t size)
{
	for (int i = 0; i < 100; i++) {
		int length = snprintf(temporary, size, "%s.%ld-%d.tmp", target, (long)getpid(), i);
		if (length < 0 || (size_t)length >= size) {
			errno = ENAMETOOLONG;
			return -1;
		}
		int fd = open_retrying(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

static int sync_directory(const char *target)
{
	char directory[PATH_MAX];
	snprintf(directory, sizeof directory, "%s", target);
	char *slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = '\0'; // of "/name" the slash stays
	int fd = open_retrying(slash ? directory : ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return -1;
	int rc = fsync(fd);
	close(fd);
	return rc;
}

int file_write(const char *path, const void *bytes, size_t n, struct err *e)
{
	char *target = find_target(path, e);
	if (!target)
		return -1;

	char temporary[PATH_MAX];
	int rc = -1, fd = create_beside(target, temporary, sizeof temporary);
	if (fd < 0) {
		err_errno(e, "%s", path);
		goto out;
	}
	rc = write_fully(fd, bytes, n) || fsync(fd) ? -1 : 0;
	if (rc)
		err_errno(e, "%s", path);
	if (close(fd) && !rc)
		rc = err_errno(e, "%s", path);
	if (!rc && rename(temporary, target))
		rc = err_errno(e, "%s", path);
	if (rc)
		unlink(temporary);
	else if (sync_directory(target))
		rc = err_errno(e, "%s: written, but its directory could not be synced", path);
out:
	free(target);
	return rc;
}

void file_last_line(const char *path, char *line, size_t size)
{
	char text[1024];
	line[0] = '\0';
	FILE *f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(text, sizeof text, f)) {
		text[strcspn(text, "\r\n")] = '\0';
		if (text[0])
			snprintf(line, size, "%.*s", (int)size - 1, text);
	}
	fclose(f);
}
