// Pictures as people hand them in, from their files to the built-in model's answer.
#include "core/builtin.h"
#include "core/file.h"
#include "core/picture/decode.h"
#include "core/picture/verdict.h"
#include "kernels/cpu/cpu.h"
#include "tests/unit/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct weights w;
	struct engine *engine;
	struct engine_model *model;
	struct engine_context *context;
};

static bool open_reader(struct reader *r)
{
	struct err e;
	if (builtin_read(&r->w, &e))
		return false;
	struct engine_network network = { r->w.net, r->w.mean, r->w.std, r->w.params };
	return cpu_engine_open(NULL, &r->engine, &e) == 0 && engine_model_new(r->engine, &network, &r->model, &e) == 0 &&
	       engine_context_open(r->engine, CANDIDATES_MAX, 1, &r->context, &e) == 0;
}

static void close_reader(struct reader *r)
{
	engine_context_close(r->context);
	engine_model_unref(r->model);
	engine_close(r->engine);
	weights_free(&r->w);
}

// The digit; −1 if the picture is refused.
static int read_digit(const struct reader *r, const char *path)
{
	static const struct picture_limits limits = PICTURE_LIMITS;
	struct picture picture;
	struct verdict v;
	struct err e;
	uint8_t *bytes;
	size_t n;
	CHECK_MSG(file_read(path, 1 << 24, &bytes, &n, &e) == 0, "%s", e.msg);
	CHECK_MSG(picture_decode(bytes, n, &limits, &picture, &e) == PICTURE_OK, "%s: %s", path, e.msg);
	free(bytes);
	int failed = verdict_read(&(struct image){ picture.width, picture.height, picture.luma }, r->context, r->model,
				  r->w.calibration, &v, &e);
	picture_free(&picture);
	CHECK_MSG(!failed, "%s", e.msg);
	return !failed && v.reason == VERDICT_DIGIT ? v.prediction.digit : -1;
}

// Reads the pictures of a folder that show one digit: their names begin with it and a hyphen; or else those that show none.
static int count_right(const struct reader *r, const char *folder, bool digits, int *n)
{
	DIR *dir = opendir(folder);
	int right = 0;
	*n = 0;
	CHECK(dir);
	for (struct dirent *file; dir && (file = readdir(dir));) {
		char path[512];
		bool is_digit = file->d_name[0] >= '0' && file->d_name[0] <= '9' && file->d_name[1] == '-';
		int label = digits ? file->d_name[0] - '0' : -1;
		if (digits ? !is_digit : strncmp(file->d_name, "none-", 5) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, file->d_name);
		bool ok = read_digit(r, path) == label;
		right += ok;
		++*n;
		if (!ok && getenv("TEST_VERBOSE"))
			test_figure("%s is misread", file->d_name);
	}
	if (dir)
		closedir(dir);
	return right;
}

// Measured with models/best.bin: 47 of 49, 52 of 53, and 7 of 7.
TEST(pictures_of_one_digit_are_read_and_others_refused)
{
	struct reader r = { 0 };
	int n;
	CHECK(open_reader(&r));
	int right = count_right(&r, "tests/data/pictures/real", true, &n);
	CHECK_MSG(n == 49 && right >= 46, "real: %d of %d", right, n);
	right = count_right(&r, "tests/data/pictures/made", true, &n);
	CHECK_MSG(n == 53 && right >= 51, "made: %d of %d", right, n);
	right = count_right(&r, "tests/data/pictures/nondigits", false, &n);
	CHECK_MSG(n == 7 && right >= 6, "nondigits: %d of %d", right, n);
	close_reader(&r);
}
