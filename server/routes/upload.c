// Every format ends in read_png() or add_pixels(), so a picture gives the same digit in all of them. A bad picture gets its own error;
// only a body that cannot be parsed, or exceeds a limit, is an error of the request. Functions return 0 or the request's status.
#include "server/routes/upload.h"

#include "core/digit.h"
#include "core/image.h"
#include "server/routes/json.h"
#include "server/routes/multipart.h"

#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SIDE = 28, N_PIXELS = SIDE * SIDE };

void upload_free(struct upload *upload)
{
	free(upload->pictures);
	free(upload->pixels);
	*upload = (struct upload){ 0 };
}

static int no_memory(struct err *e)
{
	return err_status(e, 500, "no memory for the pictures; try again later");
}

// Appends a picture.
static int add(struct upload *u, const struct limits *limits, struct upload_picture **picture, struct err *e)
{
	if (u->n == limits->max_pictures)
		return err_status(e, 413, "more than %d pictures in one request; send the rest in another", limits->max_pictures);
	if (u->n == u->capacity) {
		int capacity = u->capacity ? u->capacity * 2 : 1;
		void *pictures = realloc(u->pictures, (size_t)capacity * sizeof *u->pictures);
		if (!pictures)
			return no_memory(e);
		u->pictures = pictures;
		void *pixels = realloc(u->pixels, (size_t)capacity * N_PIXELS);
		if (!pixels)
			return no_memory(e);
		u->pixels = pixels;
		u->capacity = capacity;
	}
	*picture = &u->pictures[u->n++];
	**picture = (struct upload_picture){ 0 };
	return 0;
}

static void normalise(struct upload *u, const struct image *image, struct upload_picture *p)
{
	switch (digit_from_image(image, u->pixels + (size_t)u->n_usable * N_PIXELS, &p->error)) {
	case DIGIT_OK:
		u->n_usable++;
		return;
	case DIGIT_BLANK:
		p->status = 422;
		p->refused = true;
		return;
	}
}

static const char *name_format(const uint8_t *bytes, size_t n)
{
	static const struct {
		const char *magic, *name;
	} known[] = { { "\xff\xd8\xff", "a JPEG" }, { "GIF8", "a GIF" }, { "RIFF", "a WebP" }, { "BM", "a BMP" },
		      { "%PDF", "a PDF" },          { "II*", "a TIFF" }, { "MM", "a TIFF" },   { "<svg", "an SVG" } };
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (n >= strlen(known[i].magic) && memcmp(bytes, known[i].magic, strlen(known[i].magic)) == 0)
			return known[i].name;
	return NULL;
}

// Checks the pixels of all PNGs so far with this one. A PNG that is too large by itself will not be decoded, so it does not count.
static int count_pixels(struct upload *u, const uint8_t *bytes, size_t n, const struct limits *limits, struct err *e)
{
	uint64_t n_pixels = image_n_pixels(bytes, n), max = (uint64_t)limits->max_pixels;
	if (n_pixels <= N_PIXELS || n_pixels > max)
		return 0;
	u->n_decoded += n_pixels;
	if (u->n_decoded <= max)
		return 0;
	return err_status(e, 413,
			  "the pictures have more than %d pixels together; make them smaller, or send each in its own request",
			  limits->max_pixels);
}

// Fills in the picture p.
static int read_png(struct upload *u, const uint8_t *bytes, size_t n, const struct limits *limits, struct upload_picture *p,
		    struct err *e)
{
	static const int statuses[] = {
		[IMAGE_OK] = 0, [IMAGE_NOT_PNG] = 415, [IMAGE_TOO_LARGE] = 413, [IMAGE_DAMAGED] = 400, [IMAGE_FAILED] = 500
	};
	if (n == 0) {
		p->status = err_status(&p->error, 400, "the picture is empty: send a PNG");
		return 0;
	}
	int status = count_pixels(u, bytes, n, limits, e);
	if (status)
		return status;
	struct image image;
	enum image_result result = image_read_png(bytes, n, (size_t)limits->max_pixels, &image, &p->error);
	p->status = statuses[result];
	if (result == IMAGE_NOT_PNG) {
		const char *other = name_format(bytes, n);
		err_set(&p->error, "the picture is %s, not a PNG: save it as PNG", other ? other : "something else");
	} else if (result == IMAGE_OK) {
		normalise(u, &image, p);
		image_free(&image);
	}
	return 0;
}

static int add_png(struct upload *u, const void *bytes, size_t n, const struct limits *limits, struct err *e)
{
	struct upload_picture *p;
	int status = add(u, limits, &p, e);
	return status ? status : read_png(u, bytes, n, limits, p, e);
}

static int read_multipart(const char *content_type, const char *body, size_t n, const struct limits *limits, struct upload *u,
			  struct err *e)
{
	struct multipart m;
	struct multipart_part part;
	int more, n_parts = 0;
	if (multipart_init(&m, content_type, body, n, e))
		return 400;
	while ((more = multipart_next(&m, &part, e)) > 0) {
		n_parts++;
		if (!part.is_file && !image_is_png(part.bytes, part.n))
			continue; // a plain field of the form
		int status = add_png(u, part.bytes, part.n, limits, e);
		if (status)
			return status;
	}
	if (more < 0)
		return 400;
	if (u->n == 0)
		return err_status(e, 400, "none of the %d parts of the multipart body is a PNG; with curl: -F img=@FILE.png",
				  n_parts);
	return 0;
}

static int add_base64(struct upload *u, const cJSON *item, const struct limits *limits, struct err *e)
{
	struct upload_picture *p;
	int status = add(u, limits, &p, e);
	if (status)
		return status;
	const char *text = cJSON_GetStringValue(item);
	if (!text) {
		p->status = err_status(&p->error, 400, "each of \"images\" must be a string, a PNG in base64");
		return 0;
	}
	if (strncmp(text, "data:", 5) == 0 && strchr(text, ','))
		text = strchr(text, ',') + 1;

	size_t n_text = strlen(text), n = BASE64_DECODE_LENGTH(n_text);
	uint8_t *bytes = malloc(n + 1);
	if (!bytes)
		return no_memory(e);
	struct base64_decode_ctx decoder;
	base64_decode_init(&decoder);
	if (base64_decode_update(&decoder, &n, bytes, n_text, text) && base64_decode_final(&decoder)) {
		status = read_png(u, bytes, n, limits, p, e);
	} else {
		p->status = err_status(&p->error, 400, "the picture is not base64 (RFC 4648 section 4, with its padding)");
	}
	free(bytes);
	return status;
}

static int add_pixels(struct upload *u, const cJSON *item, const struct limits *limits, struct err *e)
{
	struct upload_picture *p;
	int status = add(u, limits, &p, e);
	if (status)
		return status;
	uint8_t pixels[N_PIXELS];
	int n = 0;
	const cJSON *number;
	cJSON_ArrayForEach(number, item)
	{
		double v = cJSON_GetNumberValue(number); // NaN if it is none
		if (n == N_PIXELS || !cJSON_IsArray(item) || !(v >= 0 && v <= 255))
			break;
		pixels[n++] = (uint8_t)(v + 0.5);
	}
	if (number || n != N_PIXELS) {
		p->status =
			err_status(&p->error, 400, "each of \"pixels\" must be an array of 784 numbers from 0 to 255, row by row");
		return 0;
	}
	normalise(u, &(struct image){ SIDE, SIDE, pixels }, p);
	return 0;
}

static int read_json_items(const cJSON *root, const struct limits *limits, struct upload *u, struct err *e)
{
	const cJSON *images = cJSON_GetObjectItemCaseSensitive(root, "images");
	const cJSON *pixels = cJSON_GetObjectItemCaseSensitive(root, "pixels");
	const cJSON *list = images ? images : pixels;
	bool flat = pixels && cJSON_IsArray(pixels) && cJSON_IsNumber(pixels->child); // else each number would count as a picture
	if (!cJSON_IsArray(list) || (images && pixels) || !list->child || flat)
		return err_status(e, 400,
				  "the JSON must be {\"images\": [\"<base64 PNG>\", ...]} or {\"pixels\": [[784 numbers 0..255], "
				  "...]}, with at least one picture");
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		int status = images ? add_base64(u, item, limits, e) : add_pixels(u, item, limits, e);
		if (status)
			return status;
	}
	return 0;
}

static int read_json(const char *body, size_t n, const struct limits *limits, struct upload *u, struct err *e)
{
	cJSON *root;
	int status = json_parse(body, n, limits->max_pictures, &root, e);
	if (status)
		return status;
	status = read_json_items(root, limits, u, e);
	cJSON_Delete(root);
	return status;
}

// Whether the header names this type; a type that ends in a slash includes its subtypes.
static bool is_type(const char *content_type, const char *type)
{
	size_t n = strlen(type);
	return strncasecmp(content_type, type, n) == 0 && (type[n - 1] == '/' || strchr("; \t", content_type[n]));
}

static int read_form(const char *type, const char *body, size_t n, const struct limits *limits, struct upload *u, struct err *e)
{
	bool is_vague = !*type || is_type(type, "application/x-www-form-urlencoded") || is_type(type, "text/plain") ||
			is_type(type, "application/octet-stream");
	if (n == 0)
		return err_status(e, 400, "the body is empty: send a PNG, as with curl -F img=@FILE.png");
	if (image_is_png(body, n) || is_type(type, "image/"))
		return add_png(u, body, n, limits, e);
	if (is_type(type, "multipart/"))
		return read_multipart(type, body, n, limits, u, e);
	if (is_type(type, "application/json") || (is_vague && body[strspn(body, " \t\r\n")] == '{'))
		return read_json(body, n, limits, u, e);
	const char *other = name_format((const uint8_t *)body, n);
	return err_status(e, 415, "the body is %s%s%.80s; send a PNG as image/png, multipart/form-data, or application/json",
			  other ? other : "neither a PNG nor JSON", *type ? ", its Content-Type " : "", type);
}

int upload_read(const char *content_type, const char *body, size_t n, const struct limits *limits, struct upload *upload,
		struct err *e)
{
	struct upload u = { 0 };
	int status = read_form(content_type ? content_type : "", body, n, limits, &u, e);
	if (status)
		upload_free(&u);
	else
		*upload = u;
	return status;
}
