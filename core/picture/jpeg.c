// libjpeg's warnings (data that end too early, codes that are none) are errors here: it would go on and make up the rest. It calls the
// progress monitor for each row of blocks that it reads into memory and for each row that it hands out; that is where scans are
// counted and the deadline is checked, so no scan can take long unseen.
//
// libjpeg reports errors by a function that must not return: it jumps. All that changes between setjmp and a jump lives in a struct of
// the caller, so that no local variable's value is lost.
#include "core/picture/jpeg.h"

#include "core/picture/colour.h"
#include "core/picture/exif.h"
#include "core/picture/header.h"
#include "core/picture/reduce.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>

// Coefficients are two bytes, in four channels at most; and what libjpeg wants beside them.
enum { WHOLE_BYTES = 8, OTHER_BYTES = 16 << 20 };

struct reader {
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf jump;
	const struct picture_limits *limits;
	struct reduce reduce;
	struct err *err;
	enum picture_result result;
};

__attribute__((noreturn)) static void stop(struct reader *r, enum picture_result result)
{
	r->result = result;
	longjmp(r->jump, 1);
}

static void on_error(j_common_ptr jpeg)
{
	struct reader *r = jpeg->client_data;
	char message[JMSG_LENGTH_MAX];
	jpeg->err->format_message(jpeg, message);
	if (jpeg->err->msg_code == JERR_OUT_OF_MEMORY || jpeg->err->msg_code == JERR_NO_BACKING_STORE) {
		err_set(r->err, "no memory for this JPEG");
		stop(r, PICTURE_FAILED);
	}
	err_set(r->err, "damaged JPEG: %s", message);
	stop(r, PICTURE_DAMAGED);
}

// level −1 is a warning. Bytes before a marker that belong to nothing are what many phones write.
static void on_message(j_common_ptr jpeg, int level)
{
	int code = jpeg->err->msg_code;
	if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_JFIF_MAJOR && code != JWRN_ADOBE_XFORM)
		on_error(jpeg);
}

static void on_progress(j_common_ptr common)
{
	struct reader *r = common->client_data;
	if (r->jpeg.input_scan_number > r->limits->max_scans) {
		err_set(r->err, "the JPEG has more than %d scans: save it again, as a baseline JPEG", r->limits->max_scans);
		stop(r, PICTURE_TOO_LARGE);
	}
	if (picture_is_late(r->limits, r->err))
		stop(r, PICTURE_LATE);
}

// The least scale by which libjpeg itself makes a picture small enough to look at.
static unsigned choose_scale(const struct jpeg_decompress_struct *jpeg, size_t looked_at)
{
	unsigned scale = 1;
	while (scale < 8 &&
	       (uint64_t)((jpeg->image_width + scale - 1) / scale) * ((jpeg->image_height + scale - 1) / scale) > looked_at)
		scale *= 2;
	return scale;
}

static void choose_output(struct reader *r)
{
	struct jpeg_decompress_struct *jpeg = &r->jpeg;
	switch (jpeg->jpeg_color_space) {
	case JCS_GRAYSCALE:
	case JCS_YCbCr:
	case JCS_RGB:
		jpeg->out_color_space = jpeg->jpeg_color_space; // as it is stored
		break;
	case JCS_CMYK:
	case JCS_YCCK:
		jpeg->out_color_space = JCS_CMYK;
		break;
	default:
		err_set(r->err, "damaged JPEG: it has %d channels, and no known meaning for them", jpeg->num_components);
		stop(r, PICTURE_DAMAGED);
	}
	jpeg->scale_num = 1;
	jpeg->scale_denom = choose_scale(jpeg, r->limits->looked_at);
	jpeg->do_fancy_upsampling = FALSE;
	jpeg->dct_method = JDCT_ISLOW;
}

// Without Adobe's marker 0 is no ink. `samples` may change.
static void split_cmyk(struct reader *r, JSAMPLE *samples, size_t n)
{
	for (size_t i = 0; !r->jpeg.saw_Adobe_marker && i < 4 * n; i++)
		samples[i] = (JSAMPLE)(255 - samples[i]);
	colour_from_inverted_cmyk(samples, n, samples); // in place: three bytes never pass the four that they come from
	colour_split(samples, 3, n, &colour_bt601, r->reduce.row[REDUCE_LUMA], r->reduce.row[REDUCE_CB], r->reduce.row[REDUCE_CR]);
}

static void split_ycc(const JSAMPLE *restrict samples, size_t n, uint8_t *restrict luma, uint8_t *restrict cb, uint8_t *restrict cr)
{
	for (size_t i = 0; i < n; i++) {
		luma[i] = samples[3 * i];
		cb[i] = samples[3 * i + 1];
		cr[i] = samples[3 * i + 2];
	}
}

static void read_rows(struct reader *r)
{
	struct jpeg_decompress_struct *jpeg = &r->jpeg;
	size_t n = jpeg->output_width;
	uint8_t **row = r->reduce.row;
	JSAMPARRAY buffer = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, (JDIMENSION)n * 4, 1);
	bool is_grey = jpeg->out_color_space == JCS_GRAYSCALE;
	while (jpeg->output_scanline < jpeg->output_height) {
		int y = (int)jpeg->output_scanline;
		jpeg_read_scanlines(jpeg, is_grey ? &row[REDUCE_LUMA] : buffer, 1);
		if (jpeg->out_color_space == JCS_YCbCr)
			split_ycc(buffer[0], n, row[REDUCE_LUMA], row[REDUCE_CB], row[REDUCE_CR]);
		else if (jpeg->out_color_space == JCS_RGB)
			colour_split(buffer[0], 3, n, &colour_bt601, row[REDUCE_LUMA], row[REDUCE_CB], row[REDUCE_CR]);
		else if (!is_grey)
			split_cmyk(r, buffer[0], n);
		reduce_add(&r->reduce, 0, y, 1, (int)n);
	}
}

static void decode(struct reader *r, const uint8_t *bytes, size_t n)
{
	struct jpeg_decompress_struct *jpeg = &r->jpeg;
	if (setjmp(r->jump))
		return;
	jpeg_create_decompress(jpeg);
	jpeg->progress = &r->progress;
	jpeg->mem->max_memory_to_use =
		(long)(r->limits->max_whole_pixels * WHOLE_BYTES + OTHER_BYTES); // beyond, it fails; no files
	jpeg_mem_src(jpeg, bytes, n);
	jpeg_read_header(jpeg, TRUE);
	const char *whole = jpeg_has_multiple_scans(jpeg) ? "a progressive JPEG" : NULL;
	r->result = picture_check_size(jpeg->image_width, jpeg->image_height, whole, r->limits, r->err);
	if (r->result != PICTURE_OK)
		return;
	choose_output(r);
	jpeg_start_decompress(jpeg);
	if (reduce_init(&r->reduce, (int)jpeg->output_width, (int)jpeg->output_height, r->limits->looked_at,
			jpeg->out_color_space != JCS_GRAYSCALE, false, r->err))
		stop(r, PICTURE_FAILED);
	read_rows(r);
	jpeg_finish_decompress(jpeg);
	r->result = PICTURE_OK;
}

enum picture_result jpeg_decode(const uint8_t *bytes, size_t n, const struct picture_limits *limits, struct picture *picture,
				struct err *e)
{
	struct reader r = { .limits = limits, .err = e, .result = PICTURE_DAMAGED };
	r.jpeg.client_data = &r;
	r.jpeg.err = jpeg_std_error(&r.errors);
	r.errors.error_exit = on_error;
	r.errors.emit_message = on_message;
	r.progress.progress_monitor = on_progress;
	decode(&r, bytes, n);
	uint32_t width = r.jpeg.image_width, height = r.jpeg.image_height;
	jpeg_destroy_decompress(&r.jpeg);
	if (r.result == PICTURE_OK) {
		struct picture_header header = picture_read_header(bytes, n);
		int orientation = header.exif ? exif_orientation(header.exif, header.n_exif) : 1;
		if (reduce_finish(&r.reduce, orientation, picture, e))
			r.result = PICTURE_FAILED;
		else {
			picture->sent_width = (int)(orientation > 4 ? height : width);
			picture->sent_height = (int)(orientation > 4 ? width : height);
		}
	}
	reduce_fini(&r.reduce);
	return r.result;
}
