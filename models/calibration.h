// calibration: fits a model's temperature and threshold (core/lenet5.h) to pictures that it was not trained on, and measures how well its
// confidence is calibrated. Guo et al.: On Calibration of Modern Neural Networks, ICML 2017. Pure functions; any thread may call.
#pragma once

#include "core/err.h"
#include "core/lenet5.h"

#include <stdbool.h>
#include <stdint.h>

// Pictures as a network sees them. Borrowed.
struct calibration_scores {
	uint32_t n;
	const float *scores; // (n, 10)
	const uint8_t *labels; // (n), 0..9, or LENET5_NO_DIGIT
};

// Finds the temperature with the least mean negative log likelihood of the digits' labels, rounded to four decimals. Pictures without a
// digit do not count. −1: there is none from LENET5_MIN_TEMPERATURE to LENET5_MAX_TEMPERATURE, as where every digit is read right.
int calibration_fit(const struct lenet5 *net, const struct calibration_scores *scores, float *temperature, struct err *e);

// The pictures' confidences, and whether each is right: a picture without a digit never is. confidences, right: (scores->n).
void calibration_predict(const struct lenet5 *net, float temperature, const struct calibration_scores *scores, float *confidences,
			 bool *right);

// The largest threshold, rounded down to four decimals, that refuses at most that share of the n confidences, 0..1. n is at least 1.
// −1, as below: for want of memory.
int calibration_threshold(const float *confidences, uint32_t n, double share, float *threshold, struct err *e);

// The expected calibration error: the mean over bins of |share that is right − mean confidence|. The pictures are sorted by confidence and
// cut into n_bins of equal counts; equally confident ones count as their mean, so their order does not matter. 0 if n is 0.
int calibration_error(const float *confidences, const bool *right, uint32_t n, int n_bins, double *error, struct err *e);
