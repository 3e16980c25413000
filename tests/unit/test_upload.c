// Bodies of all forms → pictures. The PNGs are made here, with the same library that reads them.
#include "server/routes/upload.h"

#include "core/clock.h"
#include "core/picture/png.h"
#include "core/rng.h"
#include "tests/unit/pictures.h"
#include "tests/unit/test.h"

#include <endian.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { N_PIXELS = 784, MAX_TEXT = 1 << 16 };

static const struct limits limits = {
	.max_body = 1 << 20, .max_pictures = 4, .max_pixels = 10000, .max_whole_pixels = 10000, .max_scans = 32
};
static struct upload upload;
static struct upload_terms terms = { .limits = &limits }; // of read_body
static struct err error;

static uint8_t digit[N_PIXELS]; // a one: light on dark
static uint8_t *png;
static size_t n_png;

static void make_picture(void)
{
	struct image image = { 28, 28, digit };
	for (int y = 4; y < 24; y++)
		for (int x = 13; x < 16; x++)
			digit[y * 28 + x] = (uint8_t)(200 + y);
	free(png);
	if (png_encode(&image, &png, &n_png, &error))
		CHECK_MSG(false, "%s", error.msg);
}

static int read_body(const char *type, const void *body, size_t n)
{
	upload_free(&upload);
	error.msg[0] = 0;
	char *copy = malloc(n + 1); // of the exact size, for the sanitiser
	memcpy(copy, body, n);
	copy[n] = 0;
	int status = upload_read(type, copy, n, &terms, &upload, &error);
	free(copy);
	return status;
}

static int read_text(const char *type, const char *body)
{
	return read_body(type, body, strlen(body));
}

// The PNG as base64, at the end of `text`.
static void add_base64(char *text)
{
	size_t n = strlen(text);
	base64_encode_raw(text + n, n_png, png);
	text[n + BASE64_ENCODE_RAW_LENGTH(n_png)] = 0;
}

static void check_digits(int n)
{
	CHECK_MSG(upload.n == n && upload.n_candidates == n, "%d of %d are usable: %s", upload.n_candidates, upload.n,
		  upload.n ? upload.pictures[0].error.msg : error.msg);
	for (int i = 0; i < upload.n_candidates; i++)
		CHECK(memcmp(upload.pixels + i * N_PIXELS, digit, N_PIXELS) == 0);
}

TEST(upload_takes_a_png_under_any_type)
{
	static const char *const types[] = { "image/png",
					     "IMAGE/PNG; x=y",
					     "application/x-www-form-urlencoded",
					     "text/plain",
					     "application/octet-stream",
					     "application/json",
					     "nonsense",
					     NULL };
	make_picture();
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		CHECK(read_body(types[i], png, n_png) == 0);
		check_digits(1);
	}
	upload_free(&upload);
}

TEST(upload_takes_json)
{
	char *text = calloc(1, MAX_TEXT);
	make_picture();
	strcpy(text, "{\"images\": [\"");
	add_base64(text);
	strcat(text, "\", \"data:image/png;base64,");
	add_base64(text);
	strcat(text, "\"]}");
	CHECK(read_text("application/json; charset=utf-8", text) == 0);
	check_digits(2);
	CHECK(read_text("application/x-www-form-urlencoded", text) == 0); // curl -d
	check_digits(2);

	strcpy(text, " {\"pixels\": [[");
	for (int i = 0; i < N_PIXELS; i++)
		sprintf(text + strlen(text), "%s%g", i ? "," : "", digit[i] + (digit[i] ? i % 2 ? 0.4 : -0.4 : 0.0));
	strcat(text, "]], \"other\": null}");
	CHECK(read_text(NULL, text) == 0);
	check_digits(1);
	free(text);
	upload_free(&upload);
}

static size_t add_part(char *body, size_t n, const char *parameters, const void *bytes, size_t n_bytes)
{
	n += (size_t)sprintf(body + n, "--X\r\nContent-Disposition: form-data%s\r\n\r\n", parameters);
	memcpy(body + n, bytes, n_bytes);
	return n + n_bytes + (size_t)sprintf(body + n + n_bytes, "\r\n");
}

TEST(upload_takes_multipart)
{
	char *body = calloc(1, MAX_TEXT);
	make_picture();
	size_t n = add_part(body, 0, "; name=\"a\"; filename=\"a.png\"", png, n_png);
	n = add_part(body, n, "; name=\"note\"", "a plain field", 13);
	n = add_part(body, n, "; name=\"b\"; filename=\"b.png\"", "nonsense", 8);
	n = add_part(body, n, "; name=\"c\"", png, n_png); // without a filename, but a PNG
	n += (size_t)sprintf(body + n, "--X--\r\n");
	CHECK(read_body("multipart/form-data; boundary=X", body, n) == 0);
	CHECK(upload.n == 3 && upload.n_candidates == 2);
	if (upload.n == 3)
		CHECK(upload.pictures[0].status == 0 && upload.pictures[1].status == 415 && upload.pictures[2].status == 0);
	for (int i = 0; i < upload.n_candidates; i++)
		CHECK(memcmp(upload.pixels + i * N_PIXELS, digit, N_PIXELS) == 0);

	n = add_part(body, 0, "; name=\"note\"", "a plain field", 13);
	n += (size_t)sprintf(body + n, "--X--\r\n");
	CHECK(read_body("multipart/form-data; boundary=X", body, n) == 400 && strstr(error.msg, "none of the 1 parts"));
	free(body);
	upload_free(&upload);
}

// A one in every format, in one request: of a large JPEG and WebP the same pixels come as of a large PNG.
TEST(upload_takes_several_formats_in_one_request)
{
	enum { SIDE = 90 };
	static const struct limits large = {
		.max_pictures = 4, .max_pixels = 3 * SIDE * SIDE, .max_whole_pixels = SIDE * SIDE, .max_scans = 9
	};
	static const struct upload_terms wide = { .limits = &large };
	static uint8_t rgba[SIDE * SIDE * 4], rgb[SIDE * SIDE * 3];
	memset(rgba, 255, sizeof rgba);
	memset(rgb, 255, sizeof rgb);
	for (int y = 16; y < 72; y++)
		for (int x = 40; x < 48; x++) {
			memset(rgba + 4 * (y * SIDE + x), 0, 3);
			memset(rgb + 3 * (y * SIDE + x), 0, 3);
		}
	struct file files[] = { pictures_png(rgb, SIDE, SIDE, 3, 1), pictures_webp(rgba, SIDE, SIDE, true, 1),
				pictures_jpeg(rgb, SIDE, SIDE, &(struct pictures_jpeg){ JPEG_YCC, .quality = 100 }) };
	char *body = calloc(1, MAX_TEXT), *text = calloc(1, MAX_TEXT);
	size_t n = 0;
	strcpy(text, "{\"images\": [");
	for (int i = 0; i < 3; i++) {
		n = add_part(body, n, i ? "; filename=\"a\"" : "", files[i].bytes, files[i].n);
		strcat(text, i ? ", \"" : "\"");
		size_t at = strlen(text);
		base64_encode_raw(text + at, files[i].n, files[i].bytes);
		strcpy(text + at + BASE64_ENCODE_RAW_LENGTH(files[i].n), "\"");
	}
	strcat(text, "]}");
	n += (size_t)sprintf(body + n, "--X--\r\n");
	for (int json = 0; json < 2; json++) {
		int status = json ? upload_read("application/json", text, strlen(text), &wide, &upload, &error)
				  : upload_read("multipart/form-data; boundary=X", body, n, &wide, &upload, &error);
		CHECK_MSG(status == 0 && upload.n_candidates == 3, "%d %s", status, error.msg);
		for (int i = 1; i < upload.n_candidates; i++)
			for (int k = 0; k < N_PIXELS; k++)
				CHECK(abs(upload.pixels[i * N_PIXELS + k] - upload.pixels[k]) <= 3);
		upload_free(&upload);
	}
	for (int i = 0; i < 3; i++) {
		CHECK(read_body(i ? "image/jpeg" : NULL, files[i].bytes, files[i].n) == 0 && upload.n_candidates == 1);
		free(files[i].bytes);
	}
	free(body);
	free(text);
	upload_free(&upload);
}

TEST(upload_stops_at_the_deadline)
{
	static uint8_t grey[96 * 96];
	struct file file = pictures_jpeg(grey, 96, 96, &(struct pictures_jpeg){ .quality = 90 });
	terms.deadline_ns = clock_now_ns() - 1;
	CHECK(read_body("image/jpeg", file.bytes, file.n) == 503 && strstr(error.msg, "in time") && upload.n == 0);
	terms.deadline_ns = clock_now_ns() + 60000000000;
	CHECK(read_body("image/jpeg", file.bytes, file.n) == 0);
	terms.deadline_ns = 0;
	free(file.bytes);
	upload_free(&upload);
}

// A canvas of noise takes longer to search than a thread that answers HTTP may spend.
TEST(upload_leaves_what_is_costly_to_others)
{
	enum { CANVAS = 280, LARGE = 500 };
	static const struct limits wide = { .max_pictures = 4, .max_pixels = 1 << 20, .max_whole_pixels = 1 << 20, .max_scans = 9 };
	static uint8_t plain[LARGE * LARGE], noise[CANVAS * CANVAS];
	struct rng rng;
	rng_init(&rng, 1);
	for (int i = 0; i < CANVAS * CANVAS; i++)
		noise[i] = i % 3 ? 128 : (uint8_t)rng_next(&rng);
	for (int i = 0; i < CANVAS * CANVAS; i++) {
		int x = i % CANVAS, y = i / CANVAS;
		plain[i] = x > 130 && x < 150 && y > 40 && y < 240 ? 255 : 0;
	}
	make_picture();
	struct file canvas = pictures_png(plain, CANVAS, CANVAS, 1, 0), large = pictures_png(plain, LARGE, LARGE, 1, 0),
		    noisy = pictures_png(noise, CANVAS, CANVAS, 1, 0), digits = { png, n_png };
	const struct {
		const struct file *file;
		int small, tiny; // what comes of it
	} cases[] = { { &digits, 0, 0 },
		      { &canvas, 0, EFFORT_COSTLY }, // or EFFORT_OVERRAN, under a sanitiser
		      { &large, EFFORT_COSTLY, EFFORT_COSTLY },
		      { &noisy, EFFORT_OVERRAN, EFFORT_COSTLY } };
	char *text = calloc(1, 1 << 20);
	terms.limits = &wide;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct file *f = cases[i].file;
		size_t n_text = (size_t)sprintf(text, "{\"images\": [\"");
		base64_encode_raw(text + n_text, f->n, f->bytes);
		n_text += BASE64_ENCODE_RAW_LENGTH(f->n);
		n_text += (size_t)sprintf(text + n_text, "\"]}");
		for (int json = 0; json < 2; json++) {
			for (terms.effort = EFFORT_SMALL; terms.effort <= EFFORT_TINY; terms.effort++) {
				int want = terms.effort == EFFORT_SMALL ? cases[i].small : cases[i].tiny;
				int got = read_body(NULL, json ? (void *)text : f->bytes, json ? n_text : f->n);
				CHECK_MSG(got == want || (want == 0 && got == EFFORT_OVERRAN), "case %zu, effort %d: %d", i,
					  (int)terms.effort, got);
				CHECK((got == 0) == (upload.n == 1));
			}
			terms.effort = EFFORT_WHOLE;
			CHECK(read_body(NULL, json ? (void *)text : f->bytes, json ? n_text : f->n) == 0 && upload.n == 1);
		}
	}
	terms.effort = EFFORT_SMALL;
	memset(text, ' ', EFFORT_SMALL_BYTES + 1);
	CHECK(read_body("application/json", text, EFFORT_SMALL_BYTES) == 400);
	CHECK(read_body("application/json", text, EFFORT_SMALL_BYTES + 1) == EFFORT_COSTLY);
	terms = (struct upload_terms){ .limits = &limits };
	free(text);
	free(canvas.bytes);
	free(large.bytes);
	free(noisy.bytes);
	upload_free(&upload);
}

TEST(upload_stops_when_the_client_is_gone)
{
	static atomic_bool gone;
	static uint8_t grey[96 * 96];
	struct file file = pictures_jpeg(grey, 96, 96, &(struct pictures_jpeg){ .quality = 90 });
	terms.gone = &gone;
	CHECK(read_body("image/jpeg", file.bytes, file.n) == 0);
	atomic_store(&gone, true);
	CHECK(read_body("image/jpeg", file.bytes, file.n) == 503 && upload.n == 0);
	for (int i = 0; i < N_PIXELS; i++)
		grey[i] = (uint8_t)(i % 28 * 9);
	struct file searched = pictures_png(grey, 28, 28, 1, 0); // decoding takes no time, but looking for a digit does
	CHECK(read_body("image/png", searched.bytes, searched.n) == 503);
	terms.gone = NULL;
	CHECK(read_body("image/png", searched.bytes, searched.n) == 0);
	free(file.bytes);
	free(searched.bytes);
	upload_free(&upload);
}

TEST(upload_memory_is_that_of_the_largest_picture)
{
	enum { SIDE = 600 };
	static const struct limits wide = { .max_pictures = 4, .max_pixels = 1 << 20, .max_whole_pixels = 1 << 20, .max_scans = 9 };
	static uint8_t samples[SIDE * SIDE * 3];
	char *body = calloc(1, 1 << 20);
	make_picture();
	struct file whole = pictures_jpeg(samples, SIDE, SIDE, &(struct pictures_jpeg){ JPEG_YCC, 50, .progressive = true });
	uint64_t of_whole = upload_memory(NULL, (char *)whole.bytes, whole.n, &wide);
	CHECK(of_whole > (uint64_t)SIDE * SIDE * 6 && upload_memory(NULL, (char *)png, n_png, &wide) == 0);
	CHECK(upload_memory(NULL, (char *)whole.bytes, whole.n, &limits) == 0); // it is refused
	size_t n = add_part(body, 0, "; filename=\"a\"", png, n_png);
	n = add_part(body, n, "; filename=\"b\"", whole.bytes, whole.n);
	n = add_part(body, n, "; filename=\"c\"", png, n_png);
	n += (size_t)sprintf(body + n, "--X--\r\n");
	CHECK(upload_memory("multipart/form-data; boundary=X", body, n, &wide) == of_whole);
	CHECK(upload_memory("multipart/form-data", body, n, &wide) == 0);
	CHECK(upload_memory("application/json", "{}", 2, &wide) > of_whole);
	free(whole.bytes);
	free(body);
}

static void check_fault(const char *type, const void *body, size_t n, int status, const char *message)
{
	int got = read_body(type, body, n);
	const char *said = error.msg;
	if (got == 0) { // it is the picture that is wrong
		CHECK(upload.n == 1 && upload.n_candidates == 0);
		got = upload.pictures[0].status;
		said = upload.pictures[0].error.msg;
	}
	CHECK_MSG(got == status && strstr(said, message), "%.40s: %d %s", (const char *)body, got, said);
}

TEST(upload_says_what_is_wrong)
{
	static const struct {
		const char *type, *body;
		int status;
		const char *message;
	} cases[] = {
		{ "image/png", "", 400, "the body is empty" },
		{ "image/png", "this is text", 415, "not those of a PNG, JPEG or WebP" },
		{ "image/jpeg", "\xff\xd8\xff\xe0 and so on", 400, "damaged JPEG" },
		{ NULL, "\xff\xd8\xff\xe0 and so on", 400, "damaged JPEG" },
		{ NULL, "GIF89a and so on", 415, "a GIF: convert it to PNG, JPEG or WebP" },
		{ "image/heic", "....ftypheic and so on", 415, "a HEIC: convert it to PNG, JPEG or WebP" },
		{ "application/octet-stream", "....ftypavif and so on", 415, "an AVIF: convert" },
		{ "text/html", "<html>", 415, "text/html" },
		{ "text/html", "{}", 415, "text/html" },
		{ "multipart/form-data", "--X--", 400, "boundary" },
		{ "multipart/form-data; boundary=X", "garbage", 400, "no part" },
		{ "application/json", "{\"images\": [", 400, "malformed at byte" },
		{ "application/json", "{\"images\": []} x", 400, "malformed at byte" },
		{ "application/json", "[]", 400, "the JSON must be" },
		{ "application/json", "7", 400, "the JSON must be" },
		{ "application/json", "{}", 400, "the JSON must be" },
		{ "application/json", "{\"images\": []}", 400, "at least one picture" },
		{ "application/json", "{\"images\": \"x\"}", 400, "the JSON must be" },
		{ "application/json", "{\"images\": [\"\"], \"pixels\": [[]]}", 400, "the JSON must be" },
		{ "application/json", "{\"pixels\": [1, 2]}", 400, "the JSON must be" },
		{ "application/json", "{\"images\": [7]}", 400, "must be a string" },
		{ "application/json", "{\"images\": [\"\"]}", 400, "is empty" },
		{ "application/json", "{\"images\": [\"!!!\"]}", 400, "not base64" },
		{ "application/json", "{\"images\": [\"aGVsbG8\"]}", 400, "not base64" },
		{ "application/json", "{\"images\": [\"aGVsbG8=\"]}", 415, "not those of a PNG" },
		{ "application/json", "{\"pixels\": [[1, 2, 3]]}", 400, "784 numbers" },
		{ "application/json", "{\"pixels\": [\"x\"]}", 400, "784 numbers" },
		{ "application/json", "{\"images\": [1, 2, 3, 4, 5]}", 413, "more than 4 pictures" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_fault(cases[i].type, cases[i].body, strlen(cases[i].body), cases[i].status, cases[i].message);
	upload_free(&upload);
}

TEST(upload_refuses_bad_pngs)
{
	make_picture();
	for (size_t n = 8; n < n_png - 20; n += 7) // up to the last chunk, which holds nothing
		check_fault("image/png", png, n, 400, "");
	uint8_t *huge = malloc(n_png);
	memcpy(huge, png, n_png);
	memcpy(huge + 16, "\0\0\xea\x60\0\0\xea\x60", 8); // 60,000 × 60,000
	uint32_t crc = htobe32((uint32_t)crc32(0, huge + 12, 17));
	memcpy(huge + 29, &crc, sizeof crc);
	check_fault("image/png", huge, n_png, 413, "60000×60000 pixels are more than the limit of 10000");
	free(huge);

	uint8_t blank[N_PIXELS] = { 0 };
	struct image image = { 28, 28, blank };
	uint8_t *bytes;
	size_t n;
	CHECK(png_encode(&image, &bytes, &n, &error) == 0);
	CHECK(read_body("image/png", bytes, n) == 0); // was read, and that is all
	CHECK(upload.n == 1 && upload.pictures[0].status == 0 && upload.pictures[0].n_candidates == 0);
	free(bytes);
	upload_free(&upload);
}

TEST(upload_counts_json_before_it_is_built)
{
	char *text = malloc(MAX_TEXT + 1);
	memset(text, ',', MAX_TEXT);
	memcpy(text, "{\"pixels\":[", 11);
	check_fault("application/json", text, MAX_TEXT, 413, "more values than 4 pictures need");
	memset(text, '[', MAX_TEXT / 32); // deep instead of long: cJSON has a bound of its own
	check_fault("application/json", text, MAX_TEXT / 32, 400, "malformed");
	free(text);
}

TEST(upload_pixels_are_in_range)
{
	static const char *const values[] = { "-1", "256", "1e999", "null", "\"1\"", "[1]", "255.6" };
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		char text[8192] = "{\"pixels\": [[";
		for (int k = 0; k < N_PIXELS; k++)
			sprintf(text + strlen(text), "%s%s", k ? "," : "", k == 400 ? values[i] : "9");
		strcat(text, "]]}");
		check_fault("application/json", text, strlen(text), 400, "784 numbers");
	}
	upload_free(&upload);
}

// limits.max_pixels is 10000.
TEST(upload_bounds_the_pixels_of_all_pictures)
{
	static uint8_t pixels[101 * 101];
	const struct {
		int sides[4], status;
	} cases[] = {
		{ { 70, 71 }, 0 },    { { 70, 70, 70 }, 413 },  { { 100, 28, 28, 28 }, 0 },
		{ { 100, 29 }, 413 }, { { 101, 100, 101 }, 0 },
	};
	char *body = calloc(1, MAX_TEXT);
	for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
		for (int json = 0; json < 2; json++) {
			size_t n = (size_t)sprintf(body, json ? "{\"images\": [" : "");
			for (int i = 0; i < 4 && cases[c].sides[i]; i++) {
				const struct image image = { cases[c].sides[i], cases[c].sides[i], pixels };
				uint8_t *bytes;
				size_t n_bytes;
				CHECK(png_encode(&image, &bytes, &n_bytes, &error) == 0);
				if (json) {
					n += (size_t)sprintf(body + n, i ? ",\"" : "\"");
					base64_encode_raw(body + n, n_bytes, bytes);
					n += BASE64_ENCODE_RAW_LENGTH(n_bytes);
					body[n++] = '"';
				} else {
					n = add_part(body, n, "; filename=\"a.png\"", bytes, n_bytes);
				}
				free(bytes);
			}
			n += (size_t)sprintf(body + n, json ? "]}" : "--X--\r\n");
			int status = read_body(json ? "application/json" : "multipart/form-data; boundary=X", body, n);
			CHECK_MSG(status == cases[c].status, "case %zu: %d %s", c, status, error.msg);
			CHECK((status == 413) == (strstr(error.msg, "10000 pixels together") != NULL));
		}
	free(body);
	upload_free(&upload);
}
