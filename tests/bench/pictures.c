// What reading a picture costs on one core, in `make bench`: from the body of a request to 28×28 pixels for a canvas of 280×280, as a
// browser writes it; and decoding of baseline JPEGs of 12 and 50 megapixels, beside libjpeg-turbo's own scaled decoding to grey of the same
// file, in turn. Prints JSON. usage: bench-pictures ROUNDS
//
// With --write it writes large pictures instead, for measuring a daemon's memory: 12.jpg, 50.jpg, 64.png and progressive.jpg.
#include "core/clock.h"
#include "core/picture/decode.h"
#include "core/rng.h"
#include "server/routes/upload.h"
#include "tests/unit/pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum { MAX_ROUNDS = 1000, CANVAS = 280, CANVAS_CALLS = 50 };

static const struct picture_limits plenty = PICTURE_LIMITS;

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof *values, compare);
	return values[n / 2];
}

// A thick stroke on white, opaque RGBA, each row filtered by the one above.
static struct file make_canvas(void)
{
	enum { ROW = 4 * CANVAS };
	static uint8_t rows[CANVAS][1 + ROW];
	for (int y = CANVAS - 1; y >= 0; y--) {
		rows[y][0] = 2;
		for (int x = 0; x < CANVAS; x++) {
			double off = fabs(hypot(x - 140, y - 140) - 80) - 9; // from the edge of a ring
			uint8_t grey = (uint8_t)(off > 1 ? 255 : off < 0 ? 0 : 255 * off);
			memset(&rows[y][1 + 4 * x], grey, 3);
			rows[y][4 + 4 * x] = 255;
		}
	}
	for (int y = CANVAS - 1; y > 0; y--)
		for (int i = 1; i <= ROW; i++)
			rows[y][i] = (uint8_t)(rows[y][i] - rows[y - 1][i]);
	return pictures_png_of_rows(rows, sizeof rows, CANVAS, CANVAS, 8, 6, 0);
}

static double time_canvas_us(const struct file *png)
{
	static const struct limits limits = {
		.max_pictures = 1, .max_pixels = 1 << 20, .max_whole_pixels = 1 << 20, .max_scans = 32
	};
	static const struct upload_terms terms = { .limits = &limits, .effort = EFFORT_SMALL };
	char *body = malloc(png->n + 1);
	memcpy(body, png->bytes, png->n);
	body[png->n] = 0;
	int64_t began = clock_now_ns();
	for (int i = 0; i < CANVAS_CALLS; i++) {
		struct upload upload = { 0 };
		struct err e;
		if (upload_read("image/png", body, png->n, &terms, &upload, &e) || upload.n_candidates != 1)
			abort();
		upload_free(&upload);
	}
	free(body);
	return (double)(clock_now_ns() - began) / 1000 / CANVAS_CALLS;
}

// As a camera's: a scene of soft shapes, with noise.
static struct file make_photo(int width, int height)
{
	uint8_t *rgb = malloc((size_t)width * (size_t)height * 3), *at = rgb;
	struct rng rng;
	rng_init(&rng, 1);
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++) {
			double shape = 128 + 70 * sin(x * 0.004) * cos(y * 0.003) + 30 * sin((x + y) * 0.05);
			int noise = (int)(rng_next(&rng) & 7) - 4;
			for (int c = 0; c < 3; c++)
				*at++ = (uint8_t)(shape + noise + 8 * c);
		}
	struct file file = pictures_jpeg(rgb, width, height, &(struct pictures_jpeg){ JPEG_YCC, 92, .halved_chroma = true });
	free(rgb);
	return file;
}

static double time_ours_ms(const struct file *file)
{
	struct picture p;
	struct err e;
	int64_t began = clock_now_ns();
	if (picture_decode(file->bytes, file->n, &plenty, &p, &e) != PICTURE_OK)
		abort();
	int64_t took = clock_now_ns() - began;
	picture_free(&p);
	return (double)took / 1e6;
}

// By the scale that ours takes, to grey.
static double time_theirs_ms(const struct file *file)
{
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr errors; // its errors end the program
	int64_t began = clock_now_ns();
	jpeg.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&jpeg);
	jpeg_mem_src(&jpeg, file->bytes, file->n);
	jpeg_read_header(&jpeg, TRUE);
	jpeg.out_color_space = JCS_GRAYSCALE;
	jpeg.scale_num = 1;
	for (jpeg.scale_denom = 1;
	     jpeg.image_width / jpeg.scale_denom * (jpeg.image_height / jpeg.scale_denom) > PICTURE_LOOKED_AT;)
		jpeg.scale_denom *= 2;
	jpeg_start_decompress(&jpeg);
	uint8_t *plane = malloc((size_t)jpeg.output_width * jpeg.output_height);
	while (jpeg.output_scanline < jpeg.output_height) {
		JSAMPROW row = plane + (size_t)jpeg.output_scanline * jpeg.output_width;
		jpeg_read_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_decompress(&jpeg);
	jpeg_destroy_decompress(&jpeg);
	free(plane);
	return (double)(clock_now_ns() - began) / 1e6;
}

static void print_photo(const char *name, int width, int height, int n_rounds, const char *end)
{
	static double ours[MAX_ROUNDS], theirs[MAX_ROUNDS], ratios[MAX_ROUNDS];
	struct file file = make_photo(width, height);
	for (int i = 0; i < n_rounds; i++) {
		ours[i] = time_ours_ms(&file);
		theirs[i] = time_theirs_ms(&file);
		ratios[i] = ours[i] / theirs[i];
	}
	printf("\t\"%s\": {\"bytes\": %zu, \"ours_ms\": %.2f, \"libjpeg_ms\": %.2f, \"ratio\": %.3f}%s\n", name, file.n,
	       median(ours, n_rounds), median(theirs, n_rounds), median(ratios, n_rounds), end);
	free(file.bytes);
}

static struct file make_large_png(int width, int height)
{
	size_t row = 1 + (size_t)width;
	uint8_t *rows = calloc(row, (size_t)height);
	struct rng rng;
	rng_init(&rng, 1);
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x += 16)
			rows[(size_t)y * row + 1 + (size_t)x] = (uint8_t)(rng_next(&rng) & 7);
	struct file file = pictures_png_of_rows(rows, row * (size_t)height, width, height, 8, 0, 0);
	free(rows);
	return file;
}

static struct file make_progressive(int side)
{
	uint8_t *grey = malloc((size_t)side * (size_t)side);
	for (int y = 0; y < side; y++)
		for (int x = 0; x < side; x++)
			grey[(size_t)y * (size_t)side + (size_t)x] = (uint8_t)(128 + 100 * sin(x * 0.01) * cos(y * 0.01));
	struct file file =
		pictures_jpeg(grey, side, side, &(struct pictures_jpeg){ JPEG_GREY, 90, .progressive = true, .ac_scans = 4 });
	free(grey);
	return file;
}

static int write_pictures(const char *folder)
{
	const struct {
		const char *name;
		struct file file;
	} all[] = {
		{ "12.jpg", make_photo(4000, 3000) },
		{ "50.jpg", make_photo(8160, 6120) },
		{ "64.png", make_large_png(8192, 8000) },
		{ "progressive.jpg", make_progressive(4000) },
	};
	int status = 0;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%s", folder, all[i].name);
		FILE *to = fopen(path, "wb");
		bool failed = !to || fwrite(all[i].file.bytes, 1, all[i].file.n, to) != all[i].file.n;
		if ((to && fclose(to)) || failed) {
			fprintf(stderr, "bench-pictures: cannot write %s\n", path);
			status = 1;
		}
		free(all[i].file.bytes);
	}
	return status;
}

int main(int argc, char **argv)
{
	static double us[MAX_ROUNDS];
	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_pictures(argv[2]);
	int n_rounds = argc == 2 ? atoi(argv[1]) : 0;
	if (n_rounds < 1 || n_rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: bench-pictures ROUNDS (1 to %d) | --write FOLDER\n", MAX_ROUNDS);
		return 2;
	}
	struct file canvas = make_canvas();
	for (int i = 0; i < n_rounds; i++)
		us[i] = time_canvas_us(&canvas);
	printf("{\n\t\"canvas\": {\"bytes\": %zu, \"us\": %.1f},\n", canvas.n, median(us, n_rounds));
	free(canvas.bytes);
	print_photo("12", 4000, 3000, n_rounds, ",");
	print_photo("50", 8160, 6120, n_rounds, "");
	printf("}\n");
	return 0;
}
