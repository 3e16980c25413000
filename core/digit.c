// Brightness alone separates ink from ground. The ground is the median of the picture's border, because a digit rarely covers half of
// the border. The ink is lighter or darker than the ground, whichever differs more in sum. A table of 256 entries then maps grey to
// ink 0..255. All arithmetic is in whole numbers, so the result is the same on every machine; nothing is allocated, and the pixels are
// read twice, however large the picture is.
//
// With these limits, accuracy on MNIST's test set redrawn on canvases (tests/unit/test_canvas.c) is within 0.3 points of the plain
// set's. Doubling or halving them keeps it there.
#include "core/digit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	INNER = 20, // the digit's longer side
	CENTRE = 14, // the pixel on which the centre of mass comes to lie
	LEVELS = 256,
	ONE = 1 << 16, // of the small picture's fixed point: a thin stroke of a large picture is far below one grey level there
	LEAST_CONTRAST = 24, // between ink and ground
};

// What separates ink from ground in one picture.
struct tone {
	int ground; // grey value
	int sign; // ink is brighter (1) or darker (-1) than the ground
	int noise; // the median difference between neighbours on the border: 0.4 to 1 standard deviations
	int ink; // mean difference of the ink from the ground
};

// Of the pixels that are darker than i: n[i] and their values' sum.
struct tally {
	uint64_t n[LEVELS + 1], sum[LEVELS + 1];
};

// [left, right) × [top, bottom)
struct box {
	int left, top, right, bottom;
};

// The digit, scaled.
struct small {
	int width, height; // at most INNER
	uint32_t ink[INNER * INNER]; // (height, width), 0..255·ONE
};

static const uint8_t *row_of(const struct image *image, int y)
{
	return image->pixels + (size_t)y * (size_t)image->width;
}

// The least value that half of the n counted do not exceed.
static int median(const uint32_t counts[LEVELS], size_t n)
{
	size_t below = 0;
	int i = 0;
	while (2 * (below += counts[i]) < n)
		i++;
	return i;
}

// Counts n pixels that lie `step` bytes apart, and how much each differs from the next.
static void count_line(const uint8_t *at, int n, size_t step, uint32_t counts[LEVELS], uint32_t differences[LEVELS])
{
	for (int i = 0; i + 1 < n; i++, at += step) {
		counts[at[0]]++;
		differences[abs(at[step] - at[0])]++;
	}
	counts[at[0]]++;
}

// The medians of the border's pixels and of their differences.
static void look_at_border(const struct image *image, struct tone *tone)
{
	size_t width = (size_t)image->width, height = (size_t)image->height;
	uint32_t counts[LEVELS] = { 0 }, differences[LEVELS] = { 0 };
	count_line(image->pixels, image->width, 1, counts, differences);
	count_line(row_of(image, image->height - 1), image->width, 1, counts, differences);
	count_line(image->pixels, image->height, width, counts, differences);
	count_line(image->pixels + width - 1, image->height, width, counts, differences);
	tone->ground = median(counts, 2 * (width + height));
	tone->noise = median(differences, 2 * (width + height) - 4);
}

// Eight at a time where all are the same, as on most of a picture. Two tables, so that the next pixel's count need not wait for
// this one's.
static void count_pixels(const struct image *image, uint32_t counts[LEVELS])
{
	size_t n = (size_t)image->width * (size_t)image->height;
	uint32_t others[LEVELS] = { 0 };
	const uint8_t *p = image->pixels, *end = p + n;
	for (; end - p >= 8; p += 8) {
		uint64_t eight;
		memcpy(&eight, p, sizeof eight);
		if (eight == p[0] * 0x0101010101010101u) {
			counts[p[0]] += 8;
			continue;
		}
		for (int i = 0; i < 8; i += 2) {
			counts[p[i]]++;
			others[p[i + 1]]++;
		}
	}
	for (; p < end; p++)
		counts[*p]++;
	for (int i = 0; i < LEVELS; i++)
		counts[i] += others[i];
}

static void add_up(const struct image *image, struct tally *tally)
{
	uint32_t counts[LEVELS] = { 0 };
	count_pixels(image, counts);
	tally->n[0] = tally->sum[0] = 0;
	for (int i = 0; i < LEVELS; i++) {
		tally->n[i + 1] = tally->n[i] + counts[i];
		tally->sum[i + 1] = tally->sum[i] + counts[i] * (uint64_t)i;
	}
}

// How many pixels have more ink than `least`, and how much they have together.
static uint64_t ink_above(const struct tally *t, const struct tone *tone, int least, uint64_t *sum)
{
	uint64_t ground = (uint64_t)tone->ground;
	int limit = tone->ground + tone->sign * least;
	if (limit < 0 || limit >= LEVELS)
		return *sum = 0;
	if (tone->sign < 0) {
		*sum = ground * t->n[limit] - t->sum[limit];
		return t->n[limit];
	}
	uint64_t n = t->n[LEVELS] - t->n[limit + 1];
	*sum = t->sum[LEVELS] - t->sum[limit + 1] - ground * n;
	return n;
}

// The mean of what is above half that mean: how much ink differs from a ground that differs by 0, however much ground
// there is (T. Ridler, S. Calvard, Picture Thresholding Using an Iterative Selection Method, IEEE Trans. SMC 8(8), 1978,
// with one of the two means known). Starts high, since noise has such a mean of its own further down; but not at the
// highest value, which may be a speck's: a tenth of all beyond the noise has more. Each step lowers the mean or ends.
static int mean_ink(const struct tally *tally, const struct tone *tone)
{
	uint64_t sum, total = ink_above(tally, tone, 5 * tone->noise, &sum);
	if (total == 0)
		return 0;
	int mean = LEVELS, low = 5 * tone->noise, next = LEVELS - 1;
	while (next - low > 1) { // a tenth or less is above next, more above low
		int middle = (low + next) / 2;
		*(10 * ink_above(tally, tone, middle, &sum) > total ? &low : &next) = middle;
	}
	while (next < mean) {
		mean = next;
		uint64_t n = ink_above(tally, tone, mean / 2, &sum);
		next = (int)(sum / n);
	}
	return mean;
}

static struct tone find_tone(const struct image *image)
{
	struct tone tone = { .sign = 1 };
	struct tally tally;
	uint64_t lighter, darker;
	look_at_border(image, &tone);
	add_up(image, &tally);
	ink_above(&tally, &tone, 0, &lighter);
	tone.sign = -1;
	ink_above(&tally, &tone, 0, &darker);
	tone.sign = lighter >= darker ? 1 : -1;
	tone.ink = mean_ink(&tally, &tone);
	return tone;
}

// Mere noise has ink of 1.25 standard deviations.
static bool is_blank(const struct tone *tone)
{
	return tone->ink < LEAST_CONTRAST || tone->ink < 4 * tone->noise;
}

// Grey value to ink: 0 within the noise, 255 at the ink's mean and beyond.
static void make_table(const struct tone *tone, uint8_t table[LEVELS])
{
	int low = 3 * tone->noise;
	for (int i = 0; i < LEVELS; i++) {
		int ink = (tone->sign * (i - tone->ground) - low) * 255 / (tone->ink - low);
		table[i] = (uint8_t)(ink < 0 ? 0 : ink > 255 ? 255 : ink);
	}
}

// The least ink that the digit's box includes: an eighth of the full one, or more where noise has its highest peaks there.
static int find_threshold(const struct tone *tone, const uint8_t table[LEVELS])
{
	int peaks = tone->ground + tone->sign * 12 * tone->noise, least = LEVELS / 8, most = LEVELS / 2;
	int threshold = table[peaks < 0 ? 0 : peaks > LEVELS - 1 ? LEVELS - 1 : peaks];
	return threshold < least ? least : threshold > most ? most : threshold;
}

static struct box find_box(const struct image *image, const uint8_t table[LEVELS], int threshold)
{
	struct box box = { image->width, image->height, 0, 0 };
	for (int y = 0; y < image->height; y++) {
		const uint8_t *row = row_of(image, y);
		int first = 0, last = image->width - 1;
		while (first <= last && table[row[first]] < threshold)
			first++;
		if (first > last)
			continue;
		while (table[row[last]] < threshold)
			last--;
		box.left = first < box.left ? first : box.left;
		box.right = last + 1 > box.right ? last + 1 : box.right;
		box.top = y < box.top ? y : box.top;
		box.bottom = y + 1;
	}
	return box;
}

// Adds up n pixels of ink into m cells, m ≤ n, that share them evenly. In 1/m of a pixel, so that all is whole numbers.
static void shrink_line(const uint8_t *row, const uint8_t table[LEVELS], uint64_t n, uint64_t m, uint64_t cells[INNER])
{
	for (uint64_t i = 0; i < m; i++) {
		uint64_t from = i * n, to = from + n, sum = 0;
		for (uint64_t x = from / m; x < to / m; x++)
			sum += table[row[x]];
		cells[i] = sum * m - table[row[from / m]] * (from % m);
		if (to % m)
			cells[i] += table[row[to / m]] * (to % m);
	}
}

// Each small pixel is the mean of the area that it covers. Rounded up, so that no ink is lost however fine.
static void shrink(const struct image *image, const uint8_t table[LEVELS], struct box box, struct small *small)
{
	uint64_t box_width = (uint64_t)(box.right - box.left), box_height = (uint64_t)(box.bottom - box.top);
	uint64_t width = (uint64_t)small->width, height = (uint64_t)small->height;
	uint64_t sums[INNER][INNER] = { 0 };
	for (uint64_t y = 0; y < box_height; y++) {
		uint64_t line[INNER];
		shrink_line(row_of(image, box.top + (int)y) + box.left, table, box_width, width, line);
		// The row covers [y·height, (y + 1)·height) of cells that are box_height high each: at most two.
		uint64_t cell = y * height / box_height, in_first = (cell + 1) * box_height - y * height;
		if (in_first > height)
			in_first = height;
		for (uint64_t i = 0; i < width; i++) {
			sums[cell][i] += line[i] * in_first;
			if (in_first < height)
				sums[cell + 1][i] += line[i] * (height - in_first);
		}
	}
	uint64_t area = box_width * box_height;
	for (uint64_t y = 0; y < height; y++)
		for (uint64_t x = 0; x < width; x++)
			small->ink[y * width + x] = (uint32_t)((sums[y][x] * ONE + area - 1) / area);
}

// Where along a line of n pixels the i-th of m lies: the pixel before it and how far beyond, in 1/256.
static int locate(int i, int n, int m, int *beyond)
{
	int at = ((2 * i + 1) * n * 128) / m - 128;
	at = at < 0 ? 0 : at > (n - 1) * 256 ? (n - 1) * 256 : at;
	*beyond = at % 256;
	return at / 256;
}

// Bilinear; 256·256 is ONE.
static void enlarge(const struct image *image, const uint8_t table[LEVELS], struct box box, struct small *small)
{
	int width = box.right - box.left, height = box.bottom - box.top;
	for (int y = 0; y < small->height; y++) {
		int below, y0 = locate(y, height, small->height, &below);
		const uint8_t *upper = row_of(image, box.top + y0) + box.left;
		const uint8_t *lower = row_of(image, box.top + y0 + (below > 0)) + box.left;
		for (int x = 0; x < small->width; x++) {
			int right, x0 = locate(x, width, small->width, &right), x1 = x0 + (right > 0);
			int up = table[upper[x0]] * (256 - right) + table[upper[x1]] * right;
			int low = table[lower[x0]] * (256 - right) + table[lower[x1]] * right;
			small->ink[y * small->width + x] = (uint32_t)(up * (256 - below) + low * below);
		}
	}
}

static void scale(const struct image *image, const uint8_t table[LEVELS], struct box box, struct small *small)
{
	int width = box.right - box.left, height = box.bottom - box.top, longer = width > height ? width : height;
	small->width = (int)(((int64_t)width * INNER + longer / 2) / longer);
	small->height = (int)(((int64_t)height * INNER + longer / 2) / longer);
	small->width += small->width == 0;
	small->height += small->height == 0;
	if (longer > INNER)
		shrink(image, table, box, small);
	else
		enlarge(image, table, box, small);
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

// Thin strokes have grown faint by now. Makes the darkest tenth of the inked pixels 255 and the rest in proportion.
static void stretch(const struct small *small, uint8_t stretched[INNER * INNER])
{
	uint32_t sorted[INNER * INNER];
	int n = small->width * small->height, n_blank = 0;
	memcpy(sorted, small->ink, (size_t)n * sizeof *sorted);
	qsort(sorted, (size_t)n, sizeof *sorted, compare);
	while (sorted[n_blank] == 0)
		n_blank++; // some ink is there: the box has it on every side
	uint64_t peak = sorted[n - 1 - (n - n_blank) / 10];
	for (int i = 0; i < n; i++) {
		uint64_t ink = (255 * (uint64_t)small->ink[i] + peak / 2) / peak;
		stretched[i] = (uint8_t)(ink > 255 ? 255 : ink);
	}
}

// How far to move `extent` pixels whose centre of mass is at sum/mass so that it comes to CENTRE; all stay on the field.
static int place(int64_t sum, int64_t mass, int extent)
{
	int offset = CENTRE - (int)((2 * sum + mass) / (2 * mass));
	return offset < 0 ? 0 : offset > LENET5_SIDE - extent ? LENET5_SIDE - extent : offset;
}

// Puts (height, width) of ink into the field.
static void centre(const uint8_t *ink, int width, int height, uint8_t pixels[LENET5_PIXELS])
{
	int64_t mass = 0, sum_x = 0, sum_y = 0;
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++) {
			mass += ink[y * width + x];
			sum_x += x * ink[y * width + x];
			sum_y += y * ink[y * width + x];
		}
	int left = place(sum_x, mass, width), top = place(sum_y, mass, height);
	memset(pixels, 0, LENET5_PIXELS);
	for (int y = 0; y < height; y++)
		memcpy(pixels + (top + y) * LENET5_SIDE + left, ink + y * width, (size_t)width);
}

// How many of n pixels that lie `step` bytes apart are 0, and how many are as the next.
static void count_plain(const uint8_t *at, int n, size_t step, int *zeros, int *same)
{
	for (int i = 0; i + 1 < n; i++, at += step) {
		*zeros += at[0] == 0;
		*same += at[0] == at[step];
	}
	*zeros += at[0] == 0;
}

// Whether mean_ink of a 28×28 picture whose ground and noise are 0 is LEAST_CONTRAST or more. It starts there or above if a tenth of
// the ink does, and no step goes below if the mean of what is above half of that does not. Bytes count in lanes: 49 at most.
static bool has_ink(const uint8_t pixels[LENET5_PIXELS])
{
	typedef uint8_t bytes __attribute__((vector_size(16)));
	typedef uint16_t words __attribute__((vector_size(16)));
	bytes n_ink = { 0 }, n_full = { 0 }, n_half = { 0 };
	words sums = { 0 };
	for (size_t i = 0; i < LENET5_PIXELS; i += sizeof(bytes)) {
		bytes v;
		memcpy(&v, pixels + i, sizeof v);
		bytes half = (bytes)(v > LEAST_CONTRAST / 2);
		n_ink -= (bytes)(v > 0);
		n_full -= (bytes)(v >= LEAST_CONTRAST);
		n_half -= half;
		words above = (words)(v & half);
		sums += (above & 255) + (above >> 8);
	}
	int ink = 0, full = 0, above_half = 0, sum = 0;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ink += n_ink[i];
		full += n_full[i];
		above_half += n_half[i];
		sum += i < sizeof(bytes) / 2 ? sums[i] : 0;
	}
	return 10 * full > ink && sum >= LEAST_CONTRAST * above_half;
}

// What find_tone and is_blank would say of most of MNIST, without their tables: ink on a ground of 0, so that it is light, and no noise.
static bool is_plain(const struct image *image)
{
	const uint8_t *pixels = image->pixels;
	int zeros = 0, same = 0;
	if (image->width != LENET5_SIDE || image->height != LENET5_SIDE)
		return false;
	count_plain(pixels, LENET5_SIDE, 1, &zeros, &same);
	count_plain(pixels + (LENET5_SIDE - 1) * LENET5_SIDE, LENET5_SIDE, 1, &zeros, &same);
	count_plain(pixels, LENET5_SIDE, LENET5_SIDE, &zeros, &same);
	count_plain(pixels + LENET5_SIDE - 1, LENET5_SIDE, LENET5_SIDE, &zeros, &same);
	return 2 * zeros >= 4 * LENET5_SIDE && 2 * same >= 4 * (LENET5_SIDE - 1) && has_ink(pixels);
}

enum digit_result digit_from_image(const struct image *image, uint8_t pixels[LENET5_PIXELS], struct err *e)
{
	if (is_plain(image)) {
		memcpy(pixels, image->pixels, LENET5_PIXELS);
		return DIGIT_OK;
	}
	struct tone tone = find_tone(image);
	if (is_blank(&tone)) {
		err_set(e, "no digit found: nothing in the picture stands out from its background");
		return DIGIT_BLANK;
	}
	if (image->width == LENET5_SIDE && image->height == LENET5_SIDE && tone.sign > 0 && tone.ground < LEVELS / 2) {
		memcpy(pixels, image->pixels, LENET5_PIXELS);
		return DIGIT_OK;
	}
	uint8_t table[LEVELS], ink[INNER * INNER];
	struct small small;
	make_table(&tone, table);
	scale(image, table, find_box(image, table, find_threshold(&tone, table)), &small);
	stretch(&small, ink);
	centre(ink, small.width, small.height, pixels);
	return DIGIT_OK;
}
