// The only user of FreeType. A text is set once to be measured and once, at the size that fits, to be drawn.
#include "tests/pictures/glyphs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ft2build.h>
#include FT_FREETYPE_H

static const char *const names[] = { "DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "DejaVuSans-Bold", "DejaVuSerif-Bold" };
enum { N_NAMES = sizeof names / sizeof names[0], ROOM = SHAPE_SIDE * 5 / 7, FIRST_PIXELS = 100 };

struct glyphs {
	FT_Library library;
	int n_fonts;
	FT_Face fonts[N_NAMES];
};

int glyphs_open(const char *folder, struct glyphs **glyphs, struct err *e)
{
	struct glyphs *g = calloc(1, sizeof *g);
	if (!g || FT_Init_FreeType(&g->library)) {
		free(g);
		return err_set(e, "FreeType does not start");
	}
	for (int i = 0; i < N_NAMES; i++) {
		char path[512];
		snprintf(path, sizeof path, "%s/%s.ttf", folder, names[i]);
		if (FT_New_Face(g->library, path, 0, &g->fonts[g->n_fonts])) {
			glyphs_close(g);
			return err_set(e, "%s: no such font; install fonts-dejavu-core, or name its folder by --fonts", path);
		}
		g->n_fonts++;
	}
	*glyphs = g;
	return 0;
}

void glyphs_close(struct glyphs *g)
{
	if (!g)
		return;
	for (int i = 0; i < g->n_fonts; i++)
		FT_Done_Face(g->fonts[i]);
	FT_Done_FreeType(g->library);
	free(g);
}

int glyphs_n_fonts(const struct glyphs *g)
{
	return g->n_fonts;
}

struct box {
	int left, top, right, bottom;
};

// Sets the text from (x, y), the left end of its base line. With a mask its ink is drawn; box: what the ink covers.
static int set_text(FT_Face font, const char32_t *text, int x, int y, uint8_t *mask, struct box *box)
{
	*box = (struct box){ 1 << 20, 1 << 20, -(1 << 20), -(1 << 20) };
	for (; *text; text++) {
		if (FT_Load_Char(font, (FT_ULong)*text, FT_LOAD_RENDER | FT_LOAD_NO_HINTING))
			return -1;
		const FT_Bitmap *map = &font->glyph->bitmap;
		int left = x + font->glyph->bitmap_left, top = y - font->glyph->bitmap_top, w = (int)map->width, h = (int)map->rows;
		if (w > 0 && h > 0) {
			box->left = left < box->left ? left : box->left;
			box->top = top < box->top ? top : box->top;
			box->right = left + w > box->right ? left + w : box->right;
			box->bottom = top + h > box->bottom ? top + h : box->bottom;
		}
		for (int v = 0; mask && v < h; v++)
			for (int u = 0; u < w; u++)
				if (map->buffer[v * map->pitch + u] > 127 && left + u >= 0 && top + v >= 0 &&
				    left + u < SHAPE_SIDE && top + v < SHAPE_SIDE)
					mask[(top + v) * SHAPE_SIDE + left + u] = 1;
		x += (int)(font->glyph->advance.x >> 6);
	}
	return 0;
}

int glyphs_mask(struct glyphs *g, int font, const char32_t *text, uint8_t mask[SHAPE_SIDE * SHAPE_SIDE], struct err *e)
{
	FT_Face face = g->fonts[font];
	struct box box;
	memset(mask, 0, SHAPE_SIDE * SHAPE_SIDE);
	if (FT_Set_Pixel_Sizes(face, 0, FIRST_PIXELS) || set_text(face, text, 0, 0, NULL, &box))
		return err_set(e, "FreeType cannot draw a text");
	int w = box.right - box.left, h = box.bottom - box.top, longer = w > h ? w : h;
	if (longer <= 0)
		return 0;
	if (FT_Set_Pixel_Sizes(face, 0, (FT_UInt)(FIRST_PIXELS * ROOM / longer)) || set_text(face, text, 0, 0, NULL, &box))
		return err_set(e, "FreeType cannot draw a text");
	int x = (SHAPE_SIDE - box.left - box.right) / 2, y = (SHAPE_SIDE - box.top - box.bottom) / 2;
	return set_text(face, text, x, y, mask, &box) ? err_set(e, "FreeType cannot draw a text") : 0;
}
