// idx: reads MNIST's files (http://yann.lecun.com/exdb/mnist/, "the IDX file format"), plain or gzip. No state; any thread.
#pragma once

#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

enum idx_set { IDX_TRAIN, IDX_TEST };

// Pictures and their labels. Owned; idx_free frees.
struct idx {
	uint32_t n;
	uint8_t *pixels; // (n, 28, 28), 0 background to 255 ink
	uint8_t *labels; // (n), 0..9
};

// Reads DIR/train-images-idx3-ubyte and DIR/train-labels-idx1-ubyte, or t10k-…; each plain or, where that is missing, with
// .gz behind its name. Refused, with the file's name: wrong magic or size, truncation, bytes left over, counts that differ,
// a label above 9.
int idx_read(const char *dir, enum idx_set set, struct idx *data, struct err *e);

// As idx_read, of the two files' (uncompressed) bytes; messages say "pictures" and "labels" for the names.
int idx_parse(const void *pictures, size_t n_pictures, const void *labels, size_t n_labels, struct idx *data, struct err *e);

void idx_free(struct idx *data);
