// Calibration errors that can be computed by head, and scores whose temperature is known.
#include "models/calibration.h"

#include "core/rng.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double error_of(const float *confidences, const bool *right, uint32_t n, int n_bins)
{
	double error = -1;
	struct err e;
	CHECK(calibration_error(confidences, right, n, n_bins, &error, &e) == 0);
	return error;
}

TEST(calibration_error_of_known_values)
{
	static const float sure[] = { 1, 1, 1, 1 }, half[] = { 0.5f, 0.5f, 0.5f, 0.5f };
	static const bool all[] = { true, true, true, true }, none[4] = { false }, two[] = { true, true, false, false };
	CHECK(error_of(sure, all, 4, 15) == 0 && error_of(sure, none, 4, 15) == 1);
	CHECK(error_of(half, two, 4, 15) == 0); // equally confident: their order does not matter
	CHECK(error_of(half, two, 4, 2) == 0 && error_of(half, all, 4, 2) == 0.5);
	CHECK(error_of(sure, two, 4, 4) == 0.5 && error_of(NULL, NULL, 0, 15) == 0);

	// Two bins: 0.6 and 0.7, of which one is right, and 0.8 and 1, both right. (|0.5 − 0.65| + |1 − 0.9|)/2
	static const float mixed[] = { 0.8f, 0.7f, 1, 0.6f };
	static const bool some[] = { true, false, true, true };
	CHECK(fabs(error_of(mixed, some, 4, 2) - 0.125) < 1e-7);
	CHECK(fabs(error_of(mixed, some, 4, 1) - 0.025) < 1e-7); // in one bin they make up for each other

	// Fifteen bins of equal counts: each is off by 0.1, up or down.
	float confidences[150];
	bool right[150];
	for (int i = 0; i < 150; i++) {
		confidences[i] = 0.3f + 0.04f * (float)(i / 10);
		right[i] = i % 10 < (i / 10 % 2 ? 9 : 0);
	}
	double want = 0;
	for (int bin = 0; bin < 15; bin++)
		want += fabs((bin % 2 ? 0.9 : 0) - (0.3 + 0.04 * bin)) / 15;
	CHECK(fabs(error_of(confidences, right, 150, 15) - want) < 1e-6);
}

enum { N = 4000 };

// Scores, and labels drawn with the probabilities that lenet5_predict makes of them, so that the best temperature is 1; and every tenth
// picture shows no digit, which must not count.
static struct calibration_scores make_scores(const struct lenet5 *net, float scores[N * LENET5_DIGITS], uint8_t labels[N])
{
	struct rng r;
	rng_init(&r, 5);
	for (int i = 0; i < N; i++) {
		float *s = scores + i * LENET5_DIGITS;
		for (int d = 0; d < LENET5_DIGITS; d++)
			s[d] = net->output == LENET5_PENALTIES ? rng_uniform(&r, 1, 11) : rng_uniform(&r, -4, 4);
		struct lenet5_prediction p = lenet5_predict(net, 1, s);
		float at = rng_uniform(&r, 0, 1);
		labels[i] = 0;
		while (labels[i] < 9 && (at -= p.probabilities[labels[i]]) > 0)
			labels[i]++;
		if (i % 10 == 0)
			labels[i] = LENET5_NO_DIGIT;
	}
	return (struct calibration_scores){ N, scores, labels };
}

TEST(calibration_finds_the_factor_that_scores_were_scaled_by)
{
	static float scores[N * LENET5_DIGITS], scaled[N * LENET5_DIGITS];
	static uint8_t labels[N];
	static const float factors[] = { 0.05f, 0.5f, 1, 3, 20 };
	struct err e = { .msg = "" };
	for (int k = 0; k < 2; k++) {
		const struct lenet5 *net = lenet5_find(k ? "1998" : "relu", &e);
		struct calibration_scores s = make_scores(net, scores, labels);
		for (size_t f = 0; f < sizeof factors / sizeof factors[0]; f++) {
			float temperature = 0;
			for (int i = 0; i < N * LENET5_DIGITS; i++)
				scaled[i] = scores[i] * factors[f];
			s.scores = scaled;
			CHECK_MSG(calibration_fit(net, &s, &temperature, &e) == 0, "%s", e.msg);
			CHECK_MSG(fabsf(temperature / factors[f] - 1) < 0.06f, "%s: scaled by %g, found %g", net->name,
				  (double)factors[f], (double)temperature);
		}
	}
}

TEST(calibration_makes_the_error_small)
{
	static float scores[N * LENET5_DIGITS], confidences[N];
	static uint8_t labels[N];
	static bool right[N];
	struct err e = { .msg = "" };
	const struct lenet5 *net = lenet5_find("relu", &e);
	struct calibration_scores s = make_scores(net, scores, labels);
	for (int i = 0; i < N; i++)
		labels[i] = labels[i] == LENET5_NO_DIGIT ? 0 : labels[i];
	for (int i = 0; i < N * LENET5_DIGITS; i++)
		scores[i] *= 4;
	float temperature = 0;
	CHECK_MSG(calibration_fit(net, &s, &temperature, &e) == 0, "%s", e.msg);
	calibration_predict(net, 1, &s, confidences, right);
	double before = error_of(confidences, right, N, 15);
	calibration_predict(net, temperature, &s, confidences, right);
	double after = error_of(confidences, right, N, 15);
	CHECK_MSG(before > 0.2 && after < 0.05, "%g, then %g", before, after);
}

TEST(calibration_says_when_nothing_fits)
{
	static float scores[3 * LENET5_DIGITS];
	static const uint8_t labels[] = { 1, 1, LENET5_NO_DIGIT };
	float temperature = 7;
	struct err e = { .msg = "" };
	scores[1] = scores[LENET5_DIGITS + 1] = 5;
	const struct calibration_scores s = { 3, scores, labels };
	CHECK(calibration_fit(lenet5_at(0), &s, &temperature, &e) == -1 && strstr(e.msg, "all of the pictures right"));
	CHECK(temperature == 7);
}

TEST(calibration_threshold_refuses_at_most_a_share)
{
	float confidences[200], threshold = 0;
	struct err e;
	for (int i = 0; i < 200; i++)
		confidences[i] = (float)((i * 77) % 200) / 200; // shuffled
	for (int percent = 0; percent <= 100; percent += 5) {
		int n = 0;
		CHECK(calibration_threshold(confidences, 200, percent / 100.0, &threshold, &e) == 0);
		for (int i = 0; i < 200; i++)
			n += confidences[i] < threshold;
		CHECK_MSG(n <= 2 * percent && n >= 2 * percent - 1, "%d %%: %d refused", percent, n);
	}
	static const float equal[] = { 0.98766f, 0.98766f, 0.98766f };
	CHECK(calibration_threshold(equal, 3, 0.5, &threshold, &e) == 0 && threshold == 0.9876f);
}
