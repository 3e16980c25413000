// Grows a buffer while bytes come, so that pipes and files are read the same way.
#include "models/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned char *slurp(int fd, const char *path, size_t max_bytes, size_t *n, struct err *e)
{
	unsigned char *bytes = NULL;
	size_t used = 0, size = 0;
	for (;;) {
		if (used + 1 >= size) {
			size = size ? 2 * size : 64 << 10;
			unsigned char *grown = realloc(bytes, size);
			if (!grown) {
				err_set(e, "%s: out of memory", path);
				break;
			}
			bytes = grown;
		}
		ssize_t got = read(fd, bytes + used, size - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err_errno(e, "%s", path);
			break;
		}
		if (got == 0) {
			bytes[used] = '\0';
			*n = used;
			return bytes;
		}
		used += (size_t)got;
		if (used > max_bytes) {
			err_set(e, "%s: larger than %zu bytes", path, max_bytes);
			break;
		}
	}
	free(bytes);
	return NULL;
}

unsigned char *file_read(const char *path, size_t max_bytes, size_t *n, struct err *e)
{
	if (strcmp(path, "-") == 0)
		return slurp(STDIN_FILENO, "standard input", max_bytes, n, e);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err_errno(e, "%s", path);
		return NULL;
	}
	unsigned char *bytes = slurp(fd, path, max_bytes, n, e);
	close(fd);
	return bytes;
}

int file_write(const char *path, const void *bytes, size_t n, struct err *e)
{
	FILE *f = fopen(path, "wbe");
	if (!f)
		return err_errno(e, "%s", path);
	int status = fwrite(bytes, 1, n, f) == n ? 0 : err_errno(e, "%s", path);
	if (fclose(f) && !status)
		status = err_errno(e, "%s", path);
	return status;
}
