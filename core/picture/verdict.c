// The network judges what is a digit: it was trained to be unsure of everything else. The picture's structure decides between candidates
// that both look like digits: a part of a digit loses to the whole, the inconspicuous loses to the conspicuous, and two that stand side by
// side are two. One among many that are no digits is less likely to be one.
#include "core/picture/verdict.h"

#include <math.h>

// What is unsure and smaller than SMALL pixels is too small to tell, what is softer than BLURRED of its size too blurred.
enum { SMALL = 10 };
static const float BLURRED = 0.2f;

// What is a digit more likely than not takes part in the choice, whatever the threshold of answers.
static const float LIKELY = 0.5f;

static const struct {
	const char *name, *sentence;
} reasons[VERDICT_N_REASONS] = {
	[VERDICT_DIGIT] = { "digit", "the picture shows a digit" },
	[VERDICT_BLANK] = { "blank", "nothing in the picture stands out from its background" },
	[VERDICT_NO_DIGIT] = { "no digit", "what the picture shows is not a digit" },
	[VERDICT_SEVERAL] = { "several digits", "the picture shows more than one digit; send each in a picture of its own" },
	[VERDICT_SMALL] = { "too small", "what the picture shows has too few pixels to be read; send it larger" },
	[VERDICT_BLURRED] = { "too blurred", "what the picture shows is too blurred to be read" },
};

const char *verdict_name(enum verdict_reason reason)
{
	return reasons[reason].name;
}

const char *verdict_sentence(enum verdict_reason reason)
{
	return reasons[reason].sentence;
}

static int longer_of(const struct candidate *c)
{
	int width = c->right - c->left, height = c->bottom - c->top;
	return width > height ? width : height;
}

static float prominence(const struct candidate *c)
{
	return c->edge * (float)longer_of(c);
}

// Any stroke alone may be a 1, and so may the edge of a sheet: the odds of one are a third.
static float strength_of(const struct lenet5_prediction *p)
{
	return p->digit == 1 ? p->confidence / (p->confidence + 3 * (1 - p->confidence)) : p->confidence;
}

static float score_of(const struct candidate *c, const struct lenet5_prediction *p, float most)
{
	return strength_of(p) * sqrtf(sqrtf(prominence(c) / most));
}

static int64_t area_of(const struct candidate *c)
{
	return (int64_t)(c->right - c->left) * (c->bottom - c->top);
}

// Whether they share a third of the smaller one's box.
static bool overlap(const struct candidate *a, const struct candidate *b)
{
	int x = (a->right < b->right ? a->right : b->right) - (a->left > b->left ? a->left : b->left);
	int y = (a->bottom < b->bottom ? a->bottom : b->bottom) - (a->top > b->top ? a->top : b->top);
	int64_t smaller = area_of(a) < area_of(b) ? area_of(a) : area_of(b);
	return x > 0 && y > 0 && 3 * (int64_t)x * y > smaller;
}

// Whether candidate b is a whole of which a is a part: strokes left out, or one of several.
static bool is_whole(const struct candidate *at, int b, int a)
{
	return at[b].parts >> a & 1 && longer_of(&at[b]) <= 4 * longer_of(&at[a]) && 2 * at[b].edge > at[a].edge;
}

static int find_best(const struct candidate *at, int n, const struct lenet5_prediction *predictions)
{
	float most = 0, best_score = -1;
	int best = 0;
	for (int i = 0; i < n; i++)
		most = fmaxf(most, prominence(&at[i]));
	for (int i = 0; i < n; i++) {
		float score = score_of(&at[i], &predictions[i], most);
		if (score > best_score) {
			best_score = score;
			best = i;
		}
	}
	for (int i = 0; i < n; i++) {
		// The whole may be the digit with a line through it, of which the network is less sure.
		float least = predictions[best].digit == 1 ? 0 : 0.9f * predictions[best].confidence;
		if (is_whole(at, i, best) && predictions[i].confidence >= fmaxf(LIKELY, least)) {
			best = i;
			i = -1; // it may be a part itself
		}
	}
	return best;
}

static bool is_another(const struct candidate *a, const struct candidate *best)
{
	int a_height = a->bottom - a->top, height = best->bottom - best->top;
	return a->is_light == best->is_light && !overlap(a, best) && 2 * a_height > height && 2 * height > a_height &&
	       2 * a->edge > best->edge && 2.5f * a->width > best->width && 2.5f * best->width > a->width;
}

// A picture full of things that are no digits has one that looks like a digit, like a 1 above all, sooner or later. Each that is
// elsewhere and at least half as conspicuous as the best lowers the odds of that, and the rest of the probability goes to all digits
// alike.
static void weigh_crowd(const struct candidate *at, int n, const struct lenet5_prediction *predictions, int best,
			struct lenet5_prediction *p)
{
	const float even = 1.0f / LENET5_DIGITS, before = p->confidence;
	float odds = 1;
	for (int i = 0; i < n; i++)
		if (2 * prominence(&at[i]) > prominence(&at[best]) && strength_of(&predictions[i]) < LIKELY &&
		    !overlap(&at[i], &at[best]))
			odds += p->digit == 1 ? 2 : 0.5f;
	if (odds == 1 || before <= even)
		return;
	p->confidence = fmaxf(before / (before + (1 - before) * odds), even);
	float kept = (p->confidence - even) / (before - even);
	for (int i = 0; i < LENET5_DIGITS; i++)
		p->probabilities[i] = even + kept * (p->probabilities[i] - even);
}

struct verdict verdict_of(const struct candidate *at, int n, const struct lenet5_prediction *predictions, float threshold)
{
	struct verdict v = { VERDICT_BLANK, -1, { 0 } };
	if (n == 0)
		return v;
	v.candidate = find_best(at, n, predictions);
	v.prediction = predictions[v.candidate];
	weigh_crowd(at, n, predictions, v.candidate, &v.prediction);
	const struct candidate *best = &at[v.candidate];
	if (v.prediction.confidence < threshold) {
		v.reason = longer_of(best) < SMALL ? VERDICT_SMALL : best->softness > BLURRED ? VERDICT_BLURRED : VERDICT_NO_DIGIT;
		return v;
	}
	v.reason = VERDICT_DIGIT;
	for (int i = 0; i < n; i++)
		if (strength_of(&predictions[i]) >= LIKELY && is_another(&at[i], best))
			v.reason = VERDICT_SEVERAL;
	return v;
}

int verdict_read(const struct image *image, struct engine_context *context, const struct engine_model *model,
		 struct lenet5_calibration calibration, struct verdict *verdict, struct err *e)
{
	struct candidates c;
	return verdict_read_steps(image, context, model, calibration, NULL, &c, verdict, e);
}

int verdict_read_steps(const struct image *image, struct engine_context *context, const struct engine_model *model,
		       struct lenet5_calibration calibration, struct steps *steps, struct candidates *c, struct verdict *verdict,
		       struct err *e)
{
	float scores[CANDIDATES_MAX * LENET5_DIGITS];
	struct lenet5_prediction predictions[CANDIDATES_MAX];
	if (candidates_search(image, NULL, steps, c, e) ||
	    (c->n > 0 && engine_forward_pixels(context, model, c->pixels[0], c->n, scores, e)))
		return -1;
	for (int i = 0; i < c->n; i++)
		predictions[i] = lenet5_predict(model->net, calibration.temperature, scores + i * LENET5_DIGITS);
	*verdict = verdict_of(c->at, c->n, predictions, calibration.threshold);
	return 0;
}
