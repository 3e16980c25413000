// Each kind but the last few is a shape, which is then drawn under one of the conditions: plain for every other picture, so that what is
// mistaken for a digit is the shape and not the paper. Half of the letters are bent, as a hand would, and half of these drawn by a pen of
// even width.
#include "tests/pictures/nondigits.h"

#include "tests/pictures/hard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = SHAPE_SIDE, N = SIDE * SIDE };

static const char32_t letters[] = U"ACEFHKMNPRUVWXYacdehkmnprtuvwxy";
static const char32_t lookalikes[] = U"OoQDlI|iSsZzBbgqGTJLj!?/()δθφ";
static const char32_t greek[] = U"αβγεζηλμξπρστχψωΓΔΛΞΠΣΦΨΩ";
static const char32_t signs[] = U"@#&%+=*$€£§<>{}[]^~";
static const char32_t *const words[] = { U"hello", U"the",   U"Paris",  U"paper",    U"NAME",    U"street", U"Total",  U"sum",
					 U"yes",   U"maybe", U"window", U"ZIP",      U"Invoice", U"and",    U"Monday", U"No.",
					 U"water", U"kg",    U"Anna",   U"tomorrow", U"EUR",     U"train",  U"house",  U"page" };

static float uniform(struct rng *rng, float low, float high)
{
	return rng_uniform(rng, low, high);
}

// Moves the ink by smooth noise, up to `most` cells.
static int bend(uint8_t *mask, float most, struct rng *rng, struct err *e)
{
	uint8_t *from = malloc(N);
	uint32_t seed = rng_next(rng);
	if (!from)
		return err_set(e, "no memory to bend a letter");
	memcpy(from, mask, N);
	for (int i = 0; i < N; i++) {
		float x = (float)(i % SIDE) / 50, y = (float)i / SIDE / 50;
		int u = i % SIDE + (int)((2 * canvas_value_noise(x, y, seed) - 1) * most);
		int v = i / SIDE + (int)((2 * canvas_value_noise(x, y, seed + 1) - 1) * most);
		mask[i] = u >= 0 && v >= 0 && u < SIDE && v < SIDE && from[v * SIDE + u];
	}
	free(from);
	return 0;
}

static struct shape *make_text(const char32_t *text, struct glyphs *glyphs, struct rng *rng, struct err *e)
{
	struct shape *s = NULL;
	uint8_t *mask = malloc(N);
	bool is_bent = canvas_chance(rng, 0.5f);
	int font = (int)rng_below(rng, (uint32_t)glyphs_n_fonts(glyphs));
	bool is_word = text[1];
	float most = is_word ? uniform(rng, 3, 8) : uniform(rng, 6, 18);
	if (!mask)
		err_set(e, "no memory for a letter");
	else if (!glyphs_mask(glyphs, font, text, mask, e) && (!is_bent || !bend(mask, most, rng, e)))
		s = shape_of_mask(mask, e);
	if (s && is_bent && !is_word)
		s->has_outline = canvas_chance(rng, 0.5f);
	free(mask);
	return s;
}

static void add_scribble(struct shape *s, struct rng *rng)
{
	float x = uniform(rng, 6, 22), y = uniform(rng, 6, 22), dx = 0, dy = 0;
	int n = 60 + (int)rng_below(rng, 160);
	for (int i = 0; i < n; i++) {
		dx = 0.85f * dx + uniform(rng, -0.45f, 0.45f);
		dy = 0.85f * dy + uniform(rng, -0.45f, 0.45f);
		float u = canvas_clamp(x + dx, 4, 24), v = canvas_clamp(y + dy, 4, 24);
		dx = u - x, dy = v - y;
		shape_add_line(s, x, y, u, v);
		x = u, y = v;
	}
}

// A line, level or oblique, straight or bowed, and never upright, for that would be a 1.
static void add_stroke(struct shape *s, struct rng *rng)
{
	float angle = uniform(rng, -0.6f, 0.6f), bow = canvas_chance(rng, 0.5f) ? uniform(rng, -5, 5) : 0, k = cosf(angle),
	      t = sinf(angle);
	float x = 14 - 10 * k, y = 14 - 10 * t;
	for (int i = 1; i <= 16; i++) {
		float a = (float)i / 8 - 1, b = bow * (1 - a * a), u = 14 + 10 * a * k - b * t, v = 14 + 10 * a * t + b * k;
		shape_add_line(s, x, y, u, v);
		x = u, y = v;
	}
}

static void add_dots(struct shape *s, struct rng *rng)
{
	int n = canvas_chance(rng, 0.4f) ? 1 : 2 + (int)rng_below(rng, 4);
	for (int i = 0; i < n; i++) {
		float x = uniform(rng, 4, 24), y = uniform(rng, 4, 24);
		shape_add_line(s, x, y, x + uniform(rng, 0, 0.6f), y + uniform(rng, 0, 0.6f));
	}
	s->left = s->top = 4, s->right = s->bottom = 24; // a dot is not enlarged to a digit's size
}

// On a grid of 0 to 8: points, and a space where the pen is lifted.
static const char *const figures[] = {
	"40880840", // triangle
	"0080880800", // square
	"4084480440", // diamond
	"0484 628466", // arrow
	"0088 8008", // cross
	"080440848808", // house
	"407803831840", // star
	"002022424464668688", // stairs
	"0080088800", // hourglass
	"4800 4820 4840 4860 4880", // fan
	"4048 0484", // plus
	"4048 0286 8206", // asterisk
	"0181 0484 0787", // bars
	"0282860602 0286", // rectangle with its diagonal
	"0080880800 4048 0484", // window
	"1018 4048 7078 0383", // fence
	"2282660622", // parallelogram
};

static void add_figure(struct shape *s, struct rng *rng)
{
	const char *p = figures[rng_below(rng, sizeof figures / sizeof figures[0])];
	float x = 0, y = 0;
	bool is_down = false;
	while (*p) {
		if (*p == ' ') {
			is_down = false;
			p++;
			continue;
		}
		float u = 4 + 2.5f * (float)(p[0] - '0') + uniform(rng, -0.8f, 0.8f);
		float v = 4 + 2.5f * (float)(p[1] - '0') + uniform(rng, -0.8f, 0.8f);
		if (is_down)
			shape_add_line(s, x, y, u, v);
		x = u, y = v, is_down = true;
		p += 2;
	}
}

static int make_blank(struct rng *rng, struct image *out, struct err *e)
{
	static const uint8_t sheets[] = { HARD_PLAIN, HARD_GRADIENT, HARD_VIGNETTE,   HARD_SHADOW,    HARD_GLARE, HARD_CELL,
					  HARD_DESK,  HARD_RULED,    HARD_SQUARED,    HARD_MARGIN,    HARD_BOXED, HARD_LETTERBOX,
					  HARD_FRAME, HARD_JPEG,     HARD_BLACKBOARD, HARD_WHITEBOARD };
	return hard_make_shape(sheets[rng_below(rng, sizeof sheets)], rng, NULL, out, e);
}

// Clouds of a random coarseness and contrast, some cut to two levels; with noise of single pixels as the finest.
static int make_noise(struct rng *rng, struct image *out, struct err *e)
{
	struct canvas c;
	int side = 28 + (int)rng_below(rng, 300);
	uint32_t seed = rng_next(rng);
	bool is_fine = canvas_chance(rng, 0.35f), is_cut = canvas_chance(rng, 0.3f);
	float coarse = uniform(rng, 2, 0.2f * (float)side), high = uniform(rng, 40, 255);
	if (canvas_open(&c, side, side, 128, e))
		return -1;
	for (int y = 0; y < side; y++)
		for (int x = 0; x < side; x++) {
			float u = (float)x / coarse, v = (float)y / coarse, t = canvas_value_noise(u, v, seed);
			t = is_fine ? uniform(rng, 0, 1) : is_cut ? (float)(t > 0.55f) : t;
			c.grey[y * side + x] += high * (t - 0.5f);
		}
	int status = canvas_expose(&c, out, e);
	canvas_close(&c);
	return status;
}

static const struct {
	const char *name, *about;
} kinds[NONDIGIT_KINDS] = {
	[NONDIGIT_LETTER] = { "letter", "letters that resemble no digit" },
	[NONDIGIT_LOOKALIKE] = { "look-alike", "letters and signs that resemble a digit: O, l, I, S, Z, B, g, q and others" },
	[NONDIGIT_GREEK] = { "greek", "Greek letters" },
	[NONDIGIT_SIGN] = { "sign", "punctuation and symbols" },
	[NONDIGIT_WORD] = { "word", "a word" },
	[NONDIGIT_SCRIBBLE] = { "scribble", "one line of many bends" },
	[NONDIGIT_STROKE] = { "stroke", "one line that is not upright, straight or bowed" },
	[NONDIGIT_DOTS] = { "dots", "one to five dots" },
	[NONDIGIT_FIGURE] = { "figure", "triangles, squares, arrows, crosses, stairs and other figures" },
	[NONDIGIT_BLANK] = { "blank", "empty sheets: shaded, ruled, squared, framed, on a desk" },
	[NONDIGIT_TEXTURE] = { "texture", "coarse paper, cloth and displays with nothing on them" },
	[NONDIGIT_NOISE] = { "noise", "noise of single pixels, clouds and blots" },
	[NONDIGIT_PAIR] = { "pair", "two digits side by side" },
};

const char *nondigit_name(int kind)
{
	return kinds[kind].name;
}

const char *nondigit_about(int kind)
{
	return kinds[kind].about;
}

static struct shape *make_letter(const char32_t *from, size_t n, struct glyphs *glyphs, struct rng *rng, struct err *e)
{
	return make_text((char32_t[]){ from[rng_below(rng, (uint32_t)n)], 0 }, glyphs, rng, e);
}

static struct shape *make_lines(int kind, struct rng *rng, struct err *e)
{
	struct shape *s = shape_new(e);
	if (s && kind == NONDIGIT_SCRIBBLE)
		add_scribble(s, rng);
	else if (s && kind == NONDIGIT_STROKE)
		add_stroke(s, rng);
	else if (s && kind == NONDIGIT_DOTS)
		add_dots(s, rng);
	else if (s)
		add_figure(s, rng);
	return s;
}

int nondigit_make(int kind, uint64_t seed, struct glyphs *glyphs, const uint8_t *left, const uint8_t *right, struct image *out,
		  struct err *e)
{
	struct rng rng;
	struct shape *s;
	rng_init_stream(&rng, seed, 1000 + (uint64_t)kind);
	if (kind == NONDIGIT_BLANK)
		return make_blank(&rng, out, e);
	if (kind == NONDIGIT_TEXTURE)
		return hard_make_shape(canvas_chance(&rng, 0.7f) ? HARD_TEXTURED : HARD_SCREEN, &rng, NULL, out, e);
	if (kind == NONDIGIT_NOISE)
		return make_noise(&rng, out, e);
	int condition = canvas_chance(&rng, 0.5f) ? HARD_PLAIN : (int)rng_below(&rng, HARD_CONDITIONS);
	if (kind == NONDIGIT_LETTER)
		s = make_letter(letters, sizeof letters / sizeof letters[0] - 1, glyphs, &rng, e);
	else if (kind == NONDIGIT_LOOKALIKE)
		s = make_letter(lookalikes, sizeof lookalikes / sizeof lookalikes[0] - 1, glyphs, &rng, e);
	else if (kind == NONDIGIT_GREEK)
		s = make_letter(greek, sizeof greek / sizeof greek[0] - 1, glyphs, &rng, e);
	else if (kind == NONDIGIT_SIGN)
		s = make_letter(signs, sizeof signs / sizeof signs[0] - 1, glyphs, &rng, e);
	else if (kind == NONDIGIT_WORD)
		s = make_text(words[rng_below(&rng, sizeof words / sizeof words[0])], glyphs, &rng, e);
	else if (kind == NONDIGIT_PAIR)
		s = shape_of_digits(left, right, e);
	else
		s = make_lines(kind, &rng, e);
	if (!s)
		return -1;
	int status = hard_make_shape(condition, &rng, s, out, e);
	free(s);
	return status;
}
