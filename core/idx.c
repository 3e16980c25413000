// Both files are read whole and then parsed as two buffers, so that the parser needs no files. zlib's gzread returns a file that is
// not gzip unchanged, so one path reads both.
#include "core/idx.h"

#include "core/bytes.h"
#include "core/lenet5.h"

#include <zlib.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PICTURES = 1000000, MAGIC_PICTURES = 0x803, MAGIC_LABELS = 0x801 };

// What a file of the one or the other kind must be.
struct kind {
	const char *what, *other;
	uint32_t magic, other_magic;
	size_t header_bytes, item_bytes;
};
static const struct kind pictures_kind = { "pictures", "labels", MAGIC_PICTURES, MAGIC_LABELS, 16, LENET5_PIXELS };
static const struct kind labels_kind = { "labels", "pictures", MAGIC_LABELS, MAGIC_PICTURES, 8, 1 };

// Checks all but the items themselves.
static int parse_header(const struct kind *kind, const uint8_t *bytes, size_t n, uint32_t *count, struct err *e)
{
	if (n < 8)
		return err_set(e, "%zu bytes are too few for an IDX file", n);
	uint32_t magic = bytes_u32_be(bytes), items = bytes_u32_be(bytes + 4);
	if (magic == kind->other_magic)
		return err_set(e, "is a file of %s, not of %s", kind->other, kind->what);
	if (magic != kind->magic)
		return err_set(e, "begins with 0x%08x, and an IDX file of %s with 0x%08x", magic, kind->what, kind->magic);
	if (n < kind->header_bytes)
		return err_set(e, "ends within its header");
	if (kind == &pictures_kind && (bytes_u32_be(bytes + 8) != LENET5_SIDE || bytes_u32_be(bytes + 12) != LENET5_SIDE))
		return err_set(e, "has pictures of %u×%u pixels, not of %d×%d", bytes_u32_be(bytes + 12), bytes_u32_be(bytes + 8),
			       LENET5_SIDE, LENET5_SIDE);
	if (items == 0 || items > MAX_PICTURES)
		return err_set(e, "says that it has %u %s; 1 to %d are possible", items, kind->what, MAX_PICTURES);
	size_t want = kind->header_bytes + items * kind->item_bytes;
	if (n < want)
		return err_set(e, "is cut short: %zu of %zu bytes", n, want);
	if (n > want)
		return err_set(e, "has more bytes after the last of its %u %s (byte %zu)", items, kind->what, want);
	*count = items;
	return 0;
}

// One file in memory, and what messages call it.
struct source {
	const char *name;
	const uint8_t *bytes;
	size_t n;
};

static int parse(const struct source *pictures, const struct source *labels, struct idx *data, struct err *e)
{
	uint32_t n, n_labels;
	if (parse_header(&pictures_kind, pictures->bytes, pictures->n, &n, e))
		return err_prefix(e, "%s", pictures->name);
	if (parse_header(&labels_kind, labels->bytes, labels->n, &n_labels, e))
		return err_prefix(e, "%s", labels->name);
	if (n != n_labels)
		return err_set(e, "%s has %u pictures, but %s has %u labels", pictures->name, n, labels->name, n_labels);
	const uint8_t *label = labels->bytes + labels_kind.header_bytes;
	for (uint32_t i = 0; i < n; i++)
		if (label[i] >= LENET5_DIGITS)
			return err_set(e, "%s: label %u is %u, not 0 to 9", labels->name, i, label[i]);

	struct idx got = { n, malloc((size_t)n * LENET5_PIXELS), malloc(n) };
	if (!got.pixels || !got.labels) {
		idx_free(&got);
		return err_set(e, "%s: no memory for %u pictures", pictures->name, n);
	}
	memcpy(got.pixels, pictures->bytes + pictures_kind.header_bytes, (size_t)n * LENET5_PIXELS);
	memcpy(got.labels, label, n);
	*data = got;
	return 0;
}

int idx_parse(const void *pictures, size_t n_pictures, const void *labels, size_t n_labels, struct idx *data, struct err *e)
{
	return parse(&(struct source){ "pictures", pictures, n_pictures }, &(struct source){ "labels", labels, n_labels }, data, e);
}

// Reads to the end, or a little past max_bytes; the parser then reports the file as too long.
static int read_all(gzFile file, size_t max_bytes, uint8_t **bytes, size_t *n, struct err *e)
{
	uint8_t *buffer = NULL;
	size_t used = 0, size = 0;
	int got = 1, code;
	while (got > 0 && used <= max_bytes) {
		if (used == size) {
			size = size ? 2 * size : 1 << 16;
			uint8_t *larger = realloc(buffer, size);
			if (!larger) {
				err_set(e, "no memory for its content");
				goto fail;
			}
			buffer = larger;
		}
		size_t room = size - used;
		got = gzread(file, buffer + used, room < 1 << 24 ? (unsigned)room : 1 << 24);
		used += got > 0 ? (size_t)got : 0;
	}
	const char *message = gzerror(file, &code);
	if (code == Z_ERRNO)
		err_errno(e, "cannot be read");
	else if (code != Z_OK) // Z_BUF_ERROR, where it ends within gzip data, comes with got = 0
		err_set(e, "its gzip data is damaged or cut short: %s", message);
	else {
		*bytes = buffer;
		*n = used;
		return 0;
	}
fail:
	free(buffer);
	return -1;
}

// Opens DIR/NAME or, where that is missing, DIR/NAME.gz. path: the one that was opened.
static int open_either(const char *dir, const char *name, char *path, size_t size, struct err *e)
{
	for (int gz = 0; gz < 2; gz++) {
		int length = snprintf(path, size, "%s/%s%s", dir, name, gz ? ".gz" : "");
		if (length < 0 || (size_t)length >= size)
			return err_set(e, "%.200s…: the directory's name is too long", dir);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != ENOENT)
			return err_errno(e, "%s", path);
	}
	return err_set(e, "%s/%s: not found, with or without .gz; `lenet fetch` downloads it", dir, name);
}

// The caller frees source->bytes. path keeps its name.
static int read_file(const char *dir, const char *name, const struct kind *kind, char *path, size_t size, uint8_t **bytes,
		     size_t *n, struct err *e)
{
	int fd = open_either(dir, name, path, size, e);
	if (fd < 0)
		return -1;
	gzFile file = gzdopen(fd, "rb");
	if (!file) {
		close(fd);
		return err_set(e, "%s: no memory to read it", path);
	}
	gzbuffer(file, 1 << 17);
	int rc = read_all(file, kind->header_bytes + MAX_PICTURES * kind->item_bytes, bytes, n, e);
	gzclose(file);
	return rc ? err_prefix(e, "%s", path) : 0;
}

int idx_read(const char *dir, enum idx_set set, struct idx *data, struct err *e)
{
	static const char *const names[][2] = {
		[IDX_TRAIN] = { "train-images-idx3-ubyte", "train-labels-idx1-ubyte" },
		[IDX_TEST] = { "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte" },
	};
	static const struct kind *const kinds[] = { &pictures_kind, &labels_kind };
	char paths[2][1024];
	uint8_t *bytes[2] = { NULL, NULL };
	size_t n[2];
	int rc = -1;
	for (int i = 0; i < 2; i++)
		if (read_file(dir, names[set][i], kinds[i], paths[i], sizeof paths[i], &bytes[i], &n[i], e))
			goto out;
	rc = parse(&(struct source){ paths[0], bytes[0], n[0] }, &(struct source){ paths[1], bytes[1], n[1] }, data, e);
out:
	free(bytes[0]);
	free(bytes[1]);
	return rc;
}

void idx_free(struct idx *data)
{
	free(data->pixels);
	free(data->labels);
	*data = (struct idx){ 0 };
}
