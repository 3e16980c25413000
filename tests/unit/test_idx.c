#include "core/file.h"
#include "core/idx.h"
#include "tests/unit/scratch.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { N = 3, N_PICTURES = 16 + N * 784, N_LABELS = 8 + N };

struct pair {
	uint8_t pictures[N_PICTURES + 1], labels[N_LABELS + 1]; // each with room for a byte too many
};

static struct pair make_pair(void)
{
	struct pair p = { .pictures = { 0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, 28, 0, 0, 0, 28 },
			  .labels = { 0, 0, 8, 1, 0, 0, 0, N, 7, 0, 9 } };
	for (int i = 16; i < N_PICTURES; i++)
		p.pictures[i] = (uint8_t)(i * 7);
	return p;
}

// Whether the pair is refused with a message that has `word` in it.
static bool refused(const struct pair *p, size_t n_pictures, size_t n_labels, const char *word)
{
	struct idx data = { 0 };
	struct err e = { .msg = "" };
	if (idx_parse(p->pictures, n_pictures, p->labels, n_labels, &data, &e) == 0) {
		idx_free(&data);
		return false;
	}
	bool said = strstr(e.msg, word) && !data.pixels && !data.labels;
	CHECK_MSG(said, "\"%s\" has no \"%s\"", e.msg, word);
	return said;
}

TEST(idx_parse_copies_pictures_and_labels)
{
	struct pair p = make_pair();
	struct idx data;
	struct err e;
	CHECK(idx_parse(p.pictures, N_PICTURES, p.labels, N_LABELS, &data, &e) == 0);
	CHECK(data.n == N && memcmp(data.pixels, p.pictures + 16, N * 784) == 0 && memcmp(data.labels, p.labels + 8, N) == 0);
	idx_free(&data);
	idx_free(&data); // and once more
}

TEST(idx_every_truncation_is_refused)
{
	struct pair p = make_pair();
	for (size_t n = 0; n < N_PICTURES; n++)
		CHECK(refused(&p, n, N_LABELS, "pictures"));
	for (size_t n = 0; n < N_LABELS; n++)
		CHECK(refused(&p, N_PICTURES, n, "labels"));
	CHECK(refused(&p, N_PICTURES + 1, N_LABELS, "more bytes after"));
	CHECK(refused(&p, N_PICTURES, N_LABELS + 1, "more bytes after"));
}

TEST(idx_wrong_kinds_and_sizes_are_refused)
{
	struct pair p = make_pair();
	p.pictures[3] = 1;
	CHECK(refused(&p, N_PICTURES, N_LABELS, "is a file of labels, not of pictures"));
	p.pictures[3] = 2;
	CHECK(refused(&p, N_PICTURES, N_LABELS, "0x00000802"));
	p = make_pair();
	p.labels[3] = 3;
	CHECK(refused(&p, N_PICTURES, N_LABELS, "is a file of pictures, not of labels"));
	p = make_pair();
	p.pictures[11] = 27;
	CHECK(refused(&p, N_PICTURES, N_LABELS, "28×27"));
	p = make_pair();
	p.labels[7] = N - 1;
	CHECK(refused(&p, N_PICTURES, N_LABELS - 1, "3 pictures"));
	p.pictures[7] = p.labels[7] = 0;
	CHECK(refused(&p, 16, 8, "0 pictures"));
	p.pictures[4] = 0xff; // times 784 this is beyond 32 bits
	CHECK(refused(&p, N_PICTURES, N_LABELS, "possible"));
}

TEST(idx_label_above_9_is_refused_with_its_index)
{
	struct pair p = make_pair();
	p.labels[8 + 1] = 10;
	CHECK(refused(&p, N_PICTURES, N_LABELS, "label 1 is 10"));
}

TEST(idx_reads_the_test_set)
{
	struct idx data;
	struct err e;
	CHECK(idx_read("tests/data", IDX_TEST, &data, &e) == 0);
	CHECK(data.n == 10000 && data.labels[0] == 7 && data.labels[9999] == 6);
	CHECK(crc32(0, data.pixels, 784) == 0x7eb3cd06);
	idx_free(&data);
	CHECK(idx_read("tests/data", IDX_TRAIN, &data, &e) == 0);
	CHECK(data.n == 6400 && data.labels[0] == 5);
	idx_free(&data);
}

static void write_gzip(const char *path, const uint8_t *bytes, unsigned n)
{
	gzFile file = gzopen(path, "wb");
	CHECK(file && gzwrite(file, bytes, n) == (int)n && gzclose(file) == Z_OK);
}

TEST(idx_read_names_files_and_prefers_the_plain_one)
{
	struct pair p = make_pair();
	struct idx data;
	struct err e;
	struct scratch s = scratch_new();
	const char *pictures = scratch_path(&s, "t10k-images-idx3-ubyte"), *labels = scratch_path(&s, "t10k-labels-idx1-ubyte");
	const char *pictures_gz = scratch_path(&s, "t10k-images-idx3-ubyte.gz"),
		   *labels_gz = scratch_path(&s, "t10k-labels-idx1-ubyte.gz");

	CHECK(idx_read(s.dir, IDX_TEST, &data, &e) == -1);
	CHECK_MSG(strstr(e.msg, pictures) && strstr(e.msg, ".gz") && strstr(e.msg, "lenet fetch"), "%s", e.msg);

	write_gzip(pictures_gz, p.pictures, N_PICTURES);
	write_gzip(labels_gz, p.labels, N_LABELS);
	CHECK(idx_read(s.dir, IDX_TEST, &data, &e) == 0 && data.n == N && data.labels[2] == 9);
	idx_free(&data);

	p.labels[10] = 4;
	CHECK(file_write(labels, p.labels, N_LABELS, &e) == 0 && idx_read(s.dir, IDX_TEST, &data, &e) == 0 && data.labels[2] == 4);
	idx_free(&data);
	p.labels[9] = 11;
	CHECK(file_write(labels, p.labels, N_LABELS, &e) == 0 && idx_read(s.dir, IDX_TEST, &data, &e) == -1);
	CHECK_MSG(strncmp(e.msg, labels, strlen(labels)) == 0, "%s", e.msg);
	scratch_free(&s);
}

TEST(idx_damaged_gzip_is_refused)
{
	struct pair p = make_pair();
	struct idx data = { 0 };
	struct err e;
	struct scratch s = scratch_new();
	const char *pictures_gz = scratch_path(&s, "train-images-idx3-ubyte.gz"),
		   *labels = scratch_path(&s, "train-labels-idx1-ubyte");
	uint8_t *gz;
	size_t n;
	CHECK(file_write(labels, p.labels, N_LABELS, &e) == 0);
	write_gzip(pictures_gz, p.pictures, N_PICTURES);
	CHECK(file_read(pictures_gz, 100000, &gz, &n, &e) == 0 && n > 20);
	for (size_t cut = 2; cut < n; cut += cut + 9 < n && cut > 20 ? 7 : 1) {
		CHECK(file_write(pictures_gz, gz, cut, &e) == 0);
		CHECK_MSG(idx_read(s.dir, IDX_TRAIN, &data, &e) == -1, "%zu of %zu bytes", cut, n);
		CHECK(strstr(e.msg, pictures_gz) && !data.pixels);
	}
	gz[n - 6] ^= 1; // the sum of the content
	CHECK(file_write(pictures_gz, gz, n, &e) == 0 && idx_read(s.dir, IDX_TRAIN, &data, &e) == -1);
	CHECK_MSG(strstr(e.msg, "damaged"), "%s", e.msg);
	free(gz);
	scratch_free(&s);
}
