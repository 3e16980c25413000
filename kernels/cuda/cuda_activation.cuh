// cuda_activation: activations (core/lenet5.h), their derivatives, and the loss of logits, as device functions.
#pragma once

#include "core/lenet5.h"

static __device__ __forceinline__ float activate(enum lenet5_activation activation, float x)
{
	switch (activation) {
	case LENET5_IDENTITY:
		break;
	case LENET5_SIGMOID:
		return 1.0f / (1.0f + expf(-x));
	case LENET5_RELU:
		return fmaxf(x, 0.0f);
	case LENET5_TANH:
		return tanhf(x);
	case LENET5_SQUASH:
		return LENET5_SQUASH_LIMIT * tanhf(2.0f / 3.0f * x);
	}
	return x;
}

// The gradient before an activation from that behind it, d, and the activation's value y.
static __device__ __forceinline__ float derive(enum lenet5_activation activation, float y, float d)
{
	switch (activation) {
	case LENET5_IDENTITY:
		break;
	case LENET5_SIGMOID:
		return d * (y * (1.0f - y));
	case LENET5_RELU:
		return y > 0.0f ? d : 0.0f;
	case LENET5_TANH:
		return d * (1.0f - y * y);
	case LENET5_SQUASH:
		return d * (2.0f / 3.0f * (LENET5_SQUASH_LIMIT - y * y / LENET5_SQUASH_LIMIT));
	}
	return d;
}

// Cross-entropy of the softmax of scores (10), with the targets of struct engine_training. dscores (10) becomes the gradient of the mean over n pictures.
static __device__ __forceinline__ double softmax_loss(const float *scores, int label, float smoothing, int n, float *dscores)
{
	float top = scores[0], exps[LENET5_DIGITS], sum = 0.0f;
	double towards = 0.0;
	if (label == LENET5_NO_DIGIT)
		smoothing = 1.0f;
	for (int i = 1; i < LENET5_DIGITS; i++)
		top = fmaxf(top, scores[i]);
	for (int i = 0; i < LENET5_DIGITS; i++) {
		exps[i] = expf(scores[i] - top);
		sum += exps[i];
	}
	for (int i = 0; i < LENET5_DIGITS; i++) {
		float target = smoothing / LENET5_DIGITS + (i == label ? 1.0f - smoothing : 0.0f);
		towards += (double)target * (double)scores[i];
		dscores[i] = (exps[i] / sum - target) / (float)n;
	}
	return log((double)sum) + (double)top - towards;
}
