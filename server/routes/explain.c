// Steps are compressed quickly, since the thread that writes the answer may have other connections waiting.
#include "server/routes/explain.h"

#include "core/picture/png.h"

#include <nettle/base64.h>
#include <stdlib.h>

void explain_write_box(struct text *t, const struct candidate *candidate, double scale_x, double scale_y)
{
	struct steps_box b = steps_box(candidate, scale_x, scale_y);
	text_printf(t, ", \"box\": [%d, %d, %d, %d]", b.x, b.y, b.width, b.height);
}

static int append_png(struct text *t, const struct step *step, uint8_t palette[256][3])
{
	struct err e;
	uint8_t *png;
	size_t n;
	if (png_encode_palette(&step->image, step->has_colour ? palette : NULL, true, &png, &n, &e))
		return -1;
	char *text = malloc(BASE64_ENCODE_RAW_LENGTH(n));
	if (text) {
		base64_encode_raw(text, n, png);
		text_append_bytes(t, text, BASE64_ENCODE_RAW_LENGTH(n));
	}
	free(text);
	free(png);
	return text ? 0 : -1;
}

void explain_write_steps(struct text *t, const struct steps *steps, int candidate, const uint8_t *pixels)
{
	struct steps_drawn drawn;
	struct err e;
	uint8_t palette[256][3];
	int status = steps_draw(steps, candidate, pixels, &drawn, &e);
	steps_palette(palette);
	text_append(t, ", \"steps\": [");
	for (int i = 0; i < drawn.n && !status; i++) {
		text_printf(t, "%s{\"name\": \"%s\", \"about\": ", i ? ", " : "", drawn.at[i].name);
		text_quote(t, drawn.at[i].about);
		text_append(t, ", \"png\": \"");
		status = append_png(t, &drawn.at[i], palette);
		text_append(t, "\"}");
	}
	text_append(t, "]");
	t->failed |= status != 0;
	steps_drawn_free(&drawn);
}
