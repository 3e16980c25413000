// The loss is convex in 1/temperature for logits, but not for penalties, with their constant class "rubbish". So a grid finds the valley
// before the golden section goes down to its bottom.
#include "models/calibration.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GRID = 48, STEPS = 40 };

static double loss_at(const struct lenet5 *net, const struct calibration_scores *s, double log_temperature)
{
	double sum = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->labels[i] >= LENET5_DIGITS)
			continue;
		struct lenet5_prediction p =
			lenet5_predict(net, (float)exp(log_temperature), s->scores + (size_t)i * LENET5_DIGITS);
		float probability = p.probabilities[s->labels[i]]; // may have rounded to zero
		sum -= log(probability < FLT_MIN ? (double)FLT_MIN : (double)probability);
	}
	return sum;
}

static double golden_section(const struct lenet5 *net, const struct calibration_scores *s, double low, double high)
{
	const double ratio = (sqrt(5) - 1) / 2;
	double a = high - ratio * (high - low), b = low + ratio * (high - low), at_a = loss_at(net, s, a),
	       at_b = loss_at(net, s, b);
	for (int i = 0; i < STEPS; i++) {
		if (at_a < at_b) {
			high = b;
			b = a;
			at_b = at_a;
			at_a = loss_at(net, s, a = high - ratio * (high - low));
		} else {
			low = a;
			a = b;
			at_a = at_b;
			at_b = loss_at(net, s, b = low + ratio * (high - low));
		}
	}
	return (low + high) / 2;
}

int calibration_fit(const struct lenet5 *net, const struct calibration_scores *scores, float *temperature, struct err *e)
{
	const double from = log(LENET5_MIN_TEMPERATURE), step = (log(LENET5_MAX_TEMPERATURE) - from) / GRID;
	double least = HUGE_VAL;
	int best = 0;
	for (int i = 0; i <= GRID; i++) {
		double loss = loss_at(net, scores, from + i * step);
		if (loss < least) {
			least = loss;
			best = i;
		}
	}
	if (best == 0 || best == GRID)
		return err_set(e, "no temperature from %g to %g fits: the network reads all of the pictures right, or next to none",
			       LENET5_MIN_TEMPERATURE, LENET5_MAX_TEMPERATURE);
	double found = exp(golden_section(net, scores, from + (best - 1) * step, from + (best + 1) * step));
	*temperature = (float)(round(found * 1e4) / 1e4);
	return 0;
}

void calibration_predict(const struct lenet5 *net, float temperature, const struct calibration_scores *scores, float *confidences,
			 bool *right)
{
	for (uint32_t i = 0; i < scores->n; i++) {
		struct lenet5_prediction p = lenet5_predict(net, temperature, scores->scores + (size_t)i * LENET5_DIGITS);
		confidences[i] = p.confidence;
		right[i] = p.digit == scores->labels[i];
	}
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

int calibration_threshold(const float *confidences, uint32_t n, double share, float *threshold, struct err *e)
{
	float *sorted = malloc(n * sizeof *sorted);
	if (!sorted)
		return err_set(e, "no memory for %u confidences", n);
	memcpy(sorted, confidences, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_size);
	uint32_t n_refused = (uint32_t)(share * n); // those below the threshold
	*threshold = (float)(floor((double)sorted[n_refused < n ? n_refused : n - 1] * 1e4) / 1e4);
	free(sorted);
	return 0;
}

struct sample {
	float confidence, right;
};

static int by_confidence(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	return (x->confidence > y->confidence) - (x->confidence < y->confidence);
}

// Gives equally confident samples the share of them that is right.
static void level(struct sample *samples, uint32_t n)
{
	for (uint32_t i = 0, end; i < n; i = end) {
		float sum = 0;
		for (end = i; end < n && samples[end].confidence == samples[i].confidence; end++)
			sum += samples[end].right;
		for (uint32_t k = i; k < end; k++)
			samples[k].right = sum / (float)(end - i);
	}
}

int calibration_error(const float *confidences, const bool *right, uint32_t n, int n_bins, double *error, struct err *e)
{
	struct sample *samples = malloc((n + !n) * sizeof *samples);
	double sum = 0;
	if (!samples)
		return err_set(e, "no memory for %u confidences", n);
	for (uint32_t i = 0; i < n; i++)
		samples[i] = (struct sample){ confidences[i], right[i] };
	qsort(samples, n, sizeof *samples, by_confidence);
	level(samples, n);
	for (int bin = 0; bin < n_bins; bin++) {
		uint32_t end = (uint32_t)((uint64_t)n * (uint64_t)(bin + 1) / (uint64_t)n_bins);
		double gap = 0;
		for (uint32_t i = (uint32_t)((uint64_t)n * (uint64_t)bin / (uint64_t)n_bins); i < end; i++)
			gap += (double)samples[i].right - (double)samples[i].confidence;
		sum += fabs(gap);
	}
	free(samples);
	*error = n ? sum / n : 0;
	return 0;
}
