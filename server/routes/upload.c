// Every format ends in read_picture() or read_pixels(), so a picture gives the same digit in all formats. A bad picture has its own error; the
// request fails only if its body cannot be parsed or exceeds a limit. Functions return 0, or the request's status and e.
#include "server/routes/upload.h"

#include "core/clock.h"
#include "core/lenet5.h"
#include "core/picture/decode.h"
#include "server/routes/json.h"
#include "server/routes/multipart.h"

#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void upload_free(struct upload *upload)
{
	for (int i = 0; i < upload->n; i++)
		if (upload->pictures[i].steps) {
			steps_free(upload->pictures[i].steps);
			free(upload->pictures[i].steps);
		}
	free(upload->pictures);
	free(upload->pixels);
	free(upload->candidates);
	*upload = (struct upload){ 0 };
}

static int no_memory(struct err *e)
{
	return err_status(e, 500, "no memory for the pictures; try again later");
}

// Appends a picture.
static int add(struct upload *u, struct upload_picture **picture, struct err *e)
{
	const int max_pictures = u->terms->limits->max_pictures;
	if (u->n == max_pictures)
		return err_status(e, 413, "more than %d pictures in one request; send the rest in another", max_pictures);
	if (u->n == u->capacity) {
		int capacity = u->capacity ? u->capacity * 2 : 1;
		void *pictures = realloc(u->pictures, (size_t)capacity * sizeof *u->pictures);
		if (!pictures)
			return no_memory(e);
		u->pictures = pictures;
		u->capacity = capacity;
	}
	*picture = &u->pictures[u->n++];
	**picture = (struct upload_picture){ 0 };
	return 0;
}

static int append_candidates(struct upload *u, const struct candidates *c, struct err *e)
{
	int n = u->n_candidates + c->n;
	if (n > u->candidates_capacity) {
		int capacity = 2 * u->candidates_capacity > n ? 2 * u->candidates_capacity : n;
		void *pixels = realloc(u->pixels, (size_t)capacity * LENET5_PIXELS);
		if (!pixels)
			return no_memory(e);
		u->pixels = pixels;
		void *candidates = realloc(u->candidates, (size_t)capacity * sizeof *u->candidates);
		if (!candidates)
			return no_memory(e);
		u->candidates = candidates;
		u->candidates_capacity = capacity;
	}
	memcpy(u->pixels + (size_t)u->n_candidates * LENET5_PIXELS, c->pixels, (size_t)c->n * LENET5_PIXELS);
	memcpy(u->candidates + u->n_candidates, c->at, (size_t)c->n * sizeof *c->at);
	u->n_candidates = n;
	return 0;
}

static bool is_late(const struct upload_terms *terms)
{
	return (terms->deadline_ns && clock_now_ns() >= terms->deadline_ns) || (terms->gone && atomic_load(terms->gone));
}

// Whether the search is to stop. Time is counted from the first time that it is asked: what is not searched is quick. It is processor time,
// since a thread that is not running does not make its clients wait any longer by a search.
static bool is_due(void *arg)
{
	struct upload *u = arg;
	if (u->terms->effort == EFFORT_WHOLE)
		return is_late(u->terms);
	int64_t now_ns = clock_cpu_ns();
	if (!u->cpu_until_ns)
		u->cpu_until_ns = now_ns + EFFORT_SMALL_MS * 1000000;
	return now_ns >= u->cpu_until_ns;
}

static int find_digit(struct upload *u, const struct image *image, struct upload_picture *p, struct err *e)
{
	struct candidates c;
	struct search_stop stop = { is_due, u, false };
	if (p - u->pictures < u->terms->n_steps) {
		p->steps = calloc(1, sizeof *p->steps);
		if (!p->steps)
			return no_memory(e);
	}
	if (candidates_search(image, &stop, p->steps, &c, e)) {
		if (!stop.stopped)
			return 500;
		return u->terms->effort == EFFORT_WHOLE ? err_status(e, 503, "the pictures could not be read in time")
							: EFFORT_OVERRAN;
	}
	p->n_candidates = c.n;
	return c.n ? append_candidates(u, &c, e) : 0;
}

// Checks the sum of the pixels of all pictures up to this one. One that is too large by itself is not decoded, so it does not count.
static int count_pixels(struct upload *u, const uint8_t *bytes, size_t n, struct err *e)
{
	uint64_t n_pixels = picture_n_pixels(bytes, n), max = (uint64_t)u->terms->limits->max_pixels;
	if (n_pixels <= LENET5_PIXELS || n_pixels > max)
		return 0;
	u->n_decoded += n_pixels;
	if (u->n_decoded <= max)
		return 0;
	return err_status(e, 413,
			  "the pictures have more than %d pixels together; make them smaller, or send each in its own request",
			  u->terms->limits->max_pixels);
}

static struct picture_limits limits_of(const struct limits *limits)
{
	return (struct picture_limits){
		.max_pixels = (uint64_t)limits->max_pixels,
		.max_whole_pixels = (uint64_t)limits->max_whole_pixels,
		.max_scans = limits->max_scans,
		.looked_at = PICTURE_LOOKED_AT,
	};
}

static bool is_too_costly(const struct upload *u, const uint8_t *bytes, size_t n)
{
	static const enum picture_cost most[] = { [EFFORT_SMALL] = PICTURE_SMALL, [EFFORT_TINY] = PICTURE_TINY };
	return u->terms->effort != EFFORT_WHOLE && picture_cost(bytes, n) > most[u->terms->effort];
}

// Fills in the picture p.
static int read_picture(struct upload *u, const uint8_t *bytes, size_t n, struct upload_picture *p, struct err *e)
{
	static const int statuses[] = { [PICTURE_OK] = 0,        [PICTURE_UNKNOWN] = 415, [PICTURE_TOO_LARGE] = 413,
					[PICTURE_DAMAGED] = 400, [PICTURE_LATE] = 503,    [PICTURE_FAILED] = 500 };
	if (n == 0) {
		p->status = err_status(&p->error, 400, "the picture is empty: send a " DECODE_FORMATS);
		return 0;
	}
	int status = is_too_costly(u, bytes, n) ? EFFORT_COSTLY : count_pixels(u, bytes, n, e);
	if (status)
		return status;
	struct picture_limits limits = limits_of(u->terms->limits);
	limits.deadline_ns = u->terms->deadline_ns;
	limits.gone = u->terms->gone;
	struct picture picture;
	enum picture_result result = picture_decode(bytes, n, &limits, &picture, &p->error);
	p->status = statuses[result];
	if (result == PICTURE_LATE)
		return err_status(e, p->status, "%s", p->error.msg); // the rest would be late, too
	if (result == PICTURE_OK) {
		p->scale_x = (double)picture.sent_width / picture.width;
		p->scale_y = (double)picture.sent_height / picture.height;
		status = find_digit(u, &(struct image){ picture.width, picture.height, picture.luma }, p, e);
		picture_free(&picture);
	}
	return status;
}

static int add_picture(struct upload *u, const void *bytes, size_t n, struct err *e)
{
	struct upload_picture *p;
	int status = add(u, &p, e);
	return status ? status : read_picture(u, bytes, n, p, e);
}

static int read_multipart(const char *content_type, const char *body, size_t n, struct upload *u, struct err *e)
{
	struct multipart m;
	struct multipart_part part;
	int more, n_parts = 0;
	if (multipart_init(&m, content_type, body, n, e))
		return 400;
	while ((more = multipart_next(&m, &part, e)) > 0) {
		n_parts++;
		if (!part.is_file && !picture_is_known(part.bytes, part.n))
			continue; // a plain field of the form
		int status = add_picture(u, part.bytes, part.n, e);
		if (status)
			return status;
	}
	if (more < 0)
		return 400;
	if (u->n == 0)
		return err_status(e, 400,
				  "none of the %d parts of the multipart body is a " DECODE_FORMATS "; with curl: -F img=@FILE.png",
				  n_parts);
	return 0;
}

static int read_base64(struct upload *u, const cJSON *item, struct upload_picture *p, struct err *e)
{
	int status = 0;
	const char *text = cJSON_GetStringValue(item);
	if (!text) {
		p->status = err_status(&p->error, 400, "each of \"images\" must be a string, a " DECODE_FORMATS " in base64");
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
		status = read_picture(u, bytes, n, p, e);
	} else {
		p->status = err_status(&p->error, 400, "the picture is not base64 (RFC 4648 section 4, with its padding)");
	}
	free(bytes);
	return status;
}

static int read_pixels(struct upload *u, const cJSON *item, struct upload_picture *p, struct err *e)
{
	uint8_t pixels[LENET5_PIXELS];
	int n = 0;
	const cJSON *number;
	cJSON_ArrayForEach(number, item)
	{
		double v = cJSON_GetNumberValue(number); // NaN if it is none
		if (n == LENET5_PIXELS || !cJSON_IsArray(item) || !(v >= 0 && v <= 255))
			break;
		pixels[n++] = (uint8_t)(v + 0.5);
	}
	if (number || n != LENET5_PIXELS) {
		p->status =
			err_status(&p->error, 400, "each of \"pixels\" must be an array of 784 numbers from 0 to 255, row by row");
		return 0;
	}
	p->scale_x = p->scale_y = 1;
	return find_digit(u, &(struct image){ LENET5_SIDE, LENET5_SIDE, pixels }, p, e);
}

static int read_json_items(const cJSON *root, struct upload *u, struct err *e)
{
	const cJSON *images = cJSON_GetObjectItemCaseSensitive(root, "images");
	const cJSON *pixels = cJSON_GetObjectItemCaseSensitive(root, "pixels");
	const cJSON *list = images ? images : pixels;
	bool flat = pixels && cJSON_IsArray(pixels) && cJSON_IsNumber(pixels->child); // else each number would count as a picture
	if (!cJSON_IsArray(list) || (images && pixels) || !list->child || flat)
		return err_status(e, 400,
				  "the JSON must be {\"images\": [\"<base64>\", ...]} or {\"pixels\": [[784 numbers 0..255], "
				  "...]}, with at least one picture");
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		struct upload_picture *p;
		int status = add(u, &p, e);
		if (!status && images)
			status = read_base64(u, item, p, e);
		else if (!status)
			status = read_pixels(u, item, p, e);
		if (status)
			return status;
	}
	return 0;
}

static int read_json(const char *body, size_t n, struct upload *u, struct err *e)
{
	cJSON *root;
	int status = json_parse(body, n, u->terms->limits->max_pictures, &root, e);
	if (status)
		return status;
	status = read_json_items(root, u, e);
	cJSON_Delete(root);
	return status;
}

// Whether the header names this type; a type that ends in a slash includes its subtypes.
static bool is_type(const char *content_type, const char *type)
{
	size_t n = strlen(type);
	return strncasecmp(content_type, type, n) == 0 && (type[n - 1] == '/' || strchr("; \t", content_type[n]));
}

static int read_form(const char *type, const char *body, size_t n, struct upload *u, struct err *e)
{
	bool is_vague = !*type || is_type(type, "application/x-www-form-urlencoded") || is_type(type, "text/plain") ||
			is_type(type, "application/octet-stream");
	if (n == 0)
		return err_status(e, 400, "the body is empty: send a " DECODE_FORMATS ", as with curl -F img=@FILE.png");
	if (picture_is_known(body, n) || is_type(type, "image/"))
		return add_picture(u, body, n, e);
	if (is_type(type, "multipart/"))
		return read_multipart(type, body, n, u, e);
	if (is_type(type, "application/json") || (is_vague && body[strspn(body, " \t\r\n")] == '{'))
		return read_json(body, n, u, e);
	if (picture_is_other(body, n))
		return add_picture(u, body, n, e);
	return err_status(
		e, 415,
		"the body is neither a " DECODE_FORMATS
		" nor JSON%s%.80s; send a picture as image/png, image/jpeg, image/webp or multipart/form-data, or JSON as "
		"application/json",
		*type ? ", its Content-Type " : "", type);
}

int upload_read(const char *content_type, const char *body, size_t n, const struct upload_terms *terms, struct upload *upload,
		struct err *e)
{
	struct upload u = { .terms = terms };
	if (n > EFFORT_SMALL_BYTES && terms->effort != EFFORT_WHOLE)
		return EFFORT_COSTLY;
	int status = read_form(content_type ? content_type : "", body, n, &u, e);
	u.terms = NULL;
	if (status)
		upload_free(&u);
	else
		*upload = u;
	return status;
}

static uint64_t memory_of_parts(const char *content_type, const char *body, size_t n, const struct picture_limits *limits)
{
	struct multipart m;
	struct multipart_part part;
	struct err e;
	uint64_t most = 0;
	if (multipart_init(&m, content_type, body, n, &e))
		return 0;
	while (multipart_next(&m, &part, &e) > 0) {
		uint64_t memory = picture_memory(part.bytes, part.n, limits);
		most = memory > most ? memory : most;
	}
	return most;
}

uint64_t upload_memory(const char *content_type, const char *body, size_t n, const struct limits *limits)
{
	const struct picture_limits of_picture = limits_of(limits);
	if (picture_is_known(body, n))
		return picture_memory(body, n, &of_picture);
	if (content_type && is_type(content_type, "multipart/"))
		return memory_of_parts(content_type, body, n, &of_picture);
	return n <= EFFORT_SMALL_BYTES ? picture_memory_at_most(&of_picture)
				       : json_memory(n, limits->max_pictures) + n + picture_memory_at_most(&of_picture);
}
